"""The suites step: somebody's real test runs, against a real candidate and its request log."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from cloud import Staging, measured
from patience import eventually

from runbook_lib.evidence import DeployEvidence, Measurement, SuiteResult, SuitesEvidence
from runbook_lib.plan import Endpoints, Plan
from runbook_lib.plan_suite import Suite
from runbook_lib.redact import secrets_of
from runbook_lib.steps.suites import as_argv, run_suites

REACHING = """
import os, unittest, urllib.request

def reach(path="/health"):
    return urllib.request.urlopen(os.environ["STAGING_BASE_URL"] + path, timeout=10).status
"""
HOLLOW = "passed, but the candidate's request log shows no request in the suite's time"

URL = {"STAGING_BASE_URL": "{candidate_url}"}

RunSuite = Callable[..., tuple[SuiteResult, Measurement]]


@pytest.fixture(scope="module")
def staged(
    emulator: Endpoints, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Staging, DeployEvidence]]:
    """A deployed candidate that all suites of this module are run against, for none of them changes it."""
    folder = tmp_path_factory.mktemp("suites")
    staging = Staging(endpoints=emulator, service=f"svc-{secrets.token_hex(4)}", folder=folder)
    staging.create()
    yield staging, staging.deploy()
    staging.delete()


def suites_plan(staging: Staging, suites: dict[str, dict[str, Any]]) -> Plan:
    """Return a plan with suites that know the candidate's URL."""
    quick = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # a plain pytest starts in a third of the time
    env = {name: {**URL, **quick, **suite.get("env", {})} for name, suite in suites.items()}
    return staging.plan(suites={name: {**suite, "env": env[name]} for name, suite in suites.items()})


def run_all(staged: tuple[Staging, DeployEvidence], plan: Plan, **environment: str) -> SuitesEvidence:
    """Do the suites step, with these variables beside its own."""
    staging, deployed = staged
    return run_suites(plan, deployed, staging.ports(plan, **environment), "run-1", secrets_of(environment))


@pytest.fixture
def run(staged: tuple[Staging, DeployEvidence], tmp_path: Path) -> RunSuite:
    """Runs one suite, by pytest unless told; gives its result and its measurement."""

    def run_one(
        body: str, environment: dict[str, str] | None = None, **fields: object
    ) -> tuple[SuiteResult, Measurement]:
        (tmp_path / "test_it.py").write_text(REACHING + body, encoding="utf-8")
        if "command" not in fields:
            fields = {"pytest": ["test_it.py", "-p", "no:cacheprovider"], **fields}
        plan = suites_plan(staged[0], {"it": {"cwd": str(tmp_path), **fields}})
        evidence = run_all(staged, plan, **(environment or {}))
        return evidence.suites[0], measured(evidence)["suite.it.failures"]

    return run_one


def statuses(result: SuiteResult) -> list[tuple[str, str]]:
    """Return the tests' names without their module, and their statuses."""
    return [(test.name.rpartition("::")[2], test.status) for test in result.tests]


def test_a_suite_that_reaches_the_candidate_passes(run: RunSuite) -> None:
    result, failures = run("def test_a(): assert reach() == 200\ndef test_b(): reach(); reach()")

    assert statuses(result) == [("test_a", "passed"), ("test_b", "passed")]
    assert (result.exit_code, result.timed_out, result.requests) == (0, False, 3)
    assert (failures.value, failures.samples, failures.missing, failures.note) == (0, 2, 0, "")
    assert failures.window == result.window
    assert result.argv[:3] == ("python", "-m", "pytest")
    assert "2 passed" in result.output


def test_a_pass_without_a_request_is_hollow_and_no_data(run: RunSuite) -> None:
    result, failures = run("def test_nothing(): assert True")

    assert statuses(result) == [("test_nothing", "hollow")]
    assert (result.tests[0].detail, result.requests) == (HOLLOW, 0)
    assert (failures.value, failures.samples, failures.missing) == (None, 0, 1)
    assert failures.note == f"test_it.py::test_nothing hollow: {HOLLOW}"


def test_a_suite_that_need_not_reach_the_candidate_is_believed_without_a_request(run: RunSuite) -> None:
    result, failures = run("def test_nothing(): assert True", must_reach_candidate=False)

    assert statuses(result) == [("test_nothing", "passed")]
    assert (failures.value, failures.samples) == (0, 1)


def test_a_request_to_the_baseline_does_not_make_a_pass_believable(run: RunSuite) -> None:
    result, failures = run("def test_a(): reach()", env={"STAGING_BASE_URL": "{baseline_url}"})

    assert statuses(result) == [("test_a", "hollow")]
    assert failures.value is None


def test_a_skipped_test_is_missing_and_not_passed(run: RunSuite) -> None:
    body = 'import pytest\ndef test_a(): reach()\n@pytest.mark.skip("no key")\ndef test_b(): pass'
    result, failures = run(body)

    assert statuses(result) == [("test_a", "passed"), ("test_b", "skipped")]
    assert (failures.value, failures.samples, failures.missing) == (0, 1, 1)
    assert failures.note == "test_it.py::test_b skipped: Skipped: no key"
    assert "no key" in result.tests[1].detail


def test_failing_and_broken_tests_are_counted_with_their_details(run: RunSuite) -> None:
    body = "def test_a(): reach()\ndef test_b(): assert reach() == 418\ndef test_c(no_such_fixture): pass"
    result, failures = run(body)

    assert statuses(result) == [("test_a", "passed"), ("test_b", "failed"), ("test_c", "error")]
    assert (result.exit_code, failures.value, failures.samples) == (1, 2, 3)
    assert failures.note == "test_it.py::test_b failed: fails on both"
    assert "418" in result.tests[1].detail


def test_no_collected_test_is_no_data(run: RunSuite) -> None:
    result, failures = run("")

    assert (result.exit_code, result.tests) == (5, ())
    assert (failures.value, failures.missing, failures.note) == (None, 1, "no test was collected")
    assert "no tests ran" in result.output


def test_failures_in_the_report_count_although_the_command_ends_well(run: RunSuite) -> None:
    xml = '<testsuite><testcase classname="x" name="bad"><failure message="it broke"/></testcase></testsuite>'
    body = f"reach(); import sys; open(sys.argv[1], 'w').write('''{xml}''')"
    result, failures = run(body, command=["python", "test_it.py", "{junit}"])

    assert statuses(result) == [("bad", "failed")]
    assert (result.exit_code, failures.value, result.tests[0].detail) == (0, 1, "it broke")


def test_a_report_without_tests_is_no_data(run: RunSuite) -> None:
    body = "reach(); import sys; open(sys.argv[1], 'w').write('<testsuite/>')"
    result, failures = run(body, command=["python", "test_it.py", "{junit}"])

    assert result.tests == ()
    assert (failures.value, failures.missing, failures.note) == (None, 1, "no test was collected")


@pytest.mark.parametrize(("code", "status", "value"), [(0, "passed", 0), (7, "failed", 1)])
def test_a_command_without_a_report_is_one_test_by_its_exit_code(
    run: RunSuite, code: int, status: str, value: float
) -> None:
    body = f"reach(); print('said this'); raise SystemExit({code})"
    result, failures = run(body, command=["python", "test_it.py"])

    assert statuses(result) == [(f"exit code {code}", status)]
    assert (result.exit_code, failures.value, failures.samples) == (code, value, 1)
    assert result.output == "said this\n"


def test_a_suite_is_ended_at_its_time_limit_with_all_that_it_started(run: RunSuite, tmp_path: Path) -> None:
    body = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("child", "w").write(str(child.pid))
reach()
print("begun", flush=True)
time.sleep(600)
"""
    result, failures = run(body, command=["python", "test_it.py"], timeout_s=3)

    assert (result.timed_out, result.exit_code) == (True, None)
    assert statuses(result) == [("time limit", "error")]
    assert result.tests[0].detail == "ended at its time limit of 3 s\nbegun\n"
    assert failures.value == 1
    child = int((tmp_path / "child").read_text(encoding="utf-8"))
    eventually(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie")


def test_python_with_a_node_id_which_python_cannot_run_becomes_pytest(run: RunSuite) -> None:
    body = "class T(unittest.TestCase):\n    def test_a(self): reach()\n    def test_b(self): self.fail()"
    result, failures = run(body, command=["python", "test_it.py::T::test_a", "-q"])

    assert result.argv == ("python", "-m", "pytest", "test_it.py::T::test_a", "-q")
    assert statuses(result) == [("test_a", "passed")]
    assert (failures.value, failures.samples) == (0, 1)


@pytest.mark.parametrize(
    ("suite", "argv"),
    [
        (Suite(command=("python", "run.py", "x::y")), ("python", "run.py", "x::y")),
        (Suite(command=("python3", "t.py::a")), ("python3", "-m", "pytest", "t.py::a")),
        (Suite(command=("node", "t.py::a")), ("node", "t.py::a")),
        (Suite(pytest=("t.py", "-k", "a")), ("python", "-m", "pytest", "t.py", "-k", "a")),
    ],
)
def test_other_commands_are_run_as_they_are_written(suite: Suite, argv: tuple[str, ...]) -> None:
    assert as_argv(suite) == argv


def test_a_suite_is_told_every_url_and_the_run(run: RunSuite, staged: tuple[Staging, DeployEvidence]) -> None:
    env = {"ALL": "{candidate_url} {candidate_ws_url} {baseline_url} {run_id}"}
    result, _ = run("print(os.environ['ALL'])", env=env, command=["python", "test_it.py"])

    urls = staged[1]
    websocket = urls.candidate_url.replace("http", "ws")
    assert result.output == f"{urls.candidate_url} {websocket} {urls.baseline_url} run-1\n"


def test_a_secret_is_in_no_part_of_the_evidence(run: RunSuite) -> None:
    body = """
def test_a():
    reach()
    print("printed", os.environ["STAGING_TOKEN"])
    assert os.environ["STAGING_TOKEN"] == "", "the token was " + os.environ["STAGING_TOKEN"]
"""
    arguments = ["test_it.py", "-p", "no:cacheprovider", "-k", "test_a or opaque-and-long-0815"]
    result, _ = run(body, {"STAGING_TOKEN": "opaque-and-long-0815"}, pytest=arguments)

    assert statuses(result) == [("test_a", "failed")]
    assert "the token was [redacted]" in result.tests[0].detail
    assert "printed [redacted]" in result.output
    assert "opaque-and-long-0815" not in result.model_dump_json()


def test_suites_keep_the_plans_order_and_each_has_its_own_requests(
    staged: tuple[Staging, DeployEvidence], tmp_path: Path
) -> None:
    (tmp_path / "once.py").write_text(REACHING + "reach()", encoding="utf-8")
    (tmp_path / "never.py").write_text("", encoding="utf-8")
    command = {"cwd": str(tmp_path)}
    plan = suites_plan(
        staged[0],
        {
            "z-first": {"command": [sys.executable, "once.py"], "title": "First", **command},
            "a-second": {"command": [sys.executable, "never.py"], **command},
        },
    )
    evidence = run_all(staged, plan)

    assert [(suite.id, suite.title, suite.requests) for suite in evidence.suites] == [
        ("z-first", "First", 1), ("a-second", "a-second", 0),
    ]  # fmt: skip
    assert [each.value for each in evidence.measurements] == [0, None]


def test_without_a_candidate_no_suite_is_run_and_each_is_missing(
    staged: tuple[Staging, DeployEvidence], tmp_path: Path
) -> None:
    staging, deployed = staged
    plan = suites_plan(staging, {"it": {"command": ["touch", str(tmp_path / "ran")]}})
    absent = deployed.model_copy(update={"candidate_url": ""})
    evidence = run_all((staging, absent), plan)

    found = measured(evidence)["suite.it.failures"]
    assert (found.value, found.samples, found.missing) == (None, 0, 1)
    assert evidence.notes == (found.note,) == ("not run: the candidate never became ready",)
    assert evidence.suites == ()
    assert not (tmp_path / "ran").exists()
