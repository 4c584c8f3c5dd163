"""The suites step: somebody's real test runs, against a real candidate and its request log."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud import Staging, measured

from runbook_lib.errors import CommandFailed
from runbook_lib.evidence import DeployEvidence, Measurement
from runbook_lib.evidence.suites import SuiteResult, SuitesEvidence
from runbook_lib.plan import Endpoints, Plan
from runbook_lib.plan.suite import Suite, as_argv
from runbook_lib.redact import secrets_of
from runbook_lib.steps.suites import run_suites

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
        once = {"retries": 0, "on_baseline": "never"}
        plan = suites_plan(staged[0], {"it": {"cwd": str(tmp_path), **once, **fields}})
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
    assert failures.note == "test_it.py::test_b failed"
    assert "418" in result.tests[1].detail


def test_no_collected_test_is_no_data(run: RunSuite) -> None:
    result, failures = run("")

    assert (result.exit_code, result.tests) == (5, ())
    assert (failures.value, failures.missing, failures.note) == (None, 1, "no test was collected")
    assert "no tests ran" in result.output


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


def test_a_suite_is_told_every_url_the_run_and_who_it_is(
    run: RunSuite, staged: tuple[Staging, DeployEvidence]
) -> None:
    env = {"ALL": "{candidate_url} {candidate_ws_url} {baseline_url} {run_id} {suite} {token_env}"}
    body = "print(*(os.environ[k] for k in ('ALL', 'RUNBOOK_RUN_ID', 'RUNBOOK_USER_AGENT')), sep='\\n')"
    program = {"command": ["python", "test_it.py"], "user_agent": "x/{run_id}/{suite}", "token_env": "PATH"}
    result, _ = run(body, env=env, **program)

    urls = staged[1]
    websocket = urls.candidate_url.replace("http", "ws")
    assert result.output.splitlines() == [
        f"{urls.candidate_url} {websocket} {urls.baseline_url} run-1 it PATH", "run-1", "x/run-1/it"
    ]  # fmt: skip


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


def test_only_what_failed_is_run_again_on_the_candidate_and_on_the_baseline(
    run: RunSuite, tmp_path: Path
) -> None:
    body = """
def tell(name): print(name, os.environ["STAGING_BASE_URL"], file=open("ran", "a"))
def test_good(): reach(); tell("good")
def test_bad(): reach(); tell("bad"); assert 0
"""
    result, failures = run(body, retries=1, on_baseline="failed")

    ran = [line.split() for line in (tmp_path / "ran").read_text(encoding="utf-8").splitlines()]
    assert [name for name, _ in ran] == ["good", "bad", "bad", "bad"]
    assert len({url for _, url in ran[:3]}) == 1
    assert ran[3][1] != ran[0][1]
    assert (result.runs, [(test.attempts, test.finding) for test in result.tests]) == (
        2, [(1, ""), (2, "fails on both")],
    )  # fmt: skip
    assert failures.note == "test_it.py::test_bad failed: fails on both"


def test_a_suite_that_always_runs_on_the_baseline_is_measured_there_too(
    staged: tuple[Staging, DeployEvidence], tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text(f"{REACHING}\ndef test_a(): reach()\ndef test_b(): reach()")
    plan = suites_plan(staged[0], {"it": {"pytest": ["."], "cwd": str(tmp_path), "on_baseline": "always"}})
    evidence = run_all(staged, plan)

    before = measured(evidence, "baseline")["suite.it.failures"]
    assert (before.value, before.samples) == (0, 2)


def test_the_plans_own_report_files_are_read_as_one(run: RunSuite, tmp_path: Path) -> None:
    body = """
reach(); os.makedirs("reports")
for name in ("a", "b"):
    xml = f"<testsuite><testcase name='{name}' time='1'/></testsuite>"
    open(f"reports/{name}.xml", "w").write(xml)
"""
    result, _ = run(body, command=["python", "test_it.py"], junit="reports/*.xml")

    assert (result.read_as, statuses(result)) == ("JUnit", [("a", "passed"), ("b", "passed")])


def parallel(folder: Path, **commands: list[str]) -> dict[str, dict[str, Any]]:
    """Return suites that run at the same time."""
    usual = {"parallel": True, "must_reach_candidate": False, "cwd": str(folder)}
    return {name: {**usual, "command": command} for name, command in commands.items()}


def test_parallel_suites_run_at_the_same_time(staged: tuple[Staging, DeployEvidence], tmp_path: Path) -> None:
    meet = "touch $0; for i in $(seq 400); do [ -e $1 ] && exit 0; sleep 0.05; done; exit 1"
    commands = {"one": ["sh", "-c", meet, "a", "b"], "two": ["sh", "-c", meet, "b", "a"]}
    evidence = run_all(staged, suites_plan(staged[0], parallel(tmp_path, **commands)))

    assert [(suite.id, suite.exit_code) for suite in evidence.suites] == [("one", 0), ("two", 0)]


def test_a_suite_that_cannot_start_ends_its_parallel_neighbours(
    staged: tuple[Staging, DeployEvidence], tmp_path: Path
) -> None:
    commands = {"one": ["sleep", "600"], "two": ["no-such-program"]}
    started = time.monotonic()
    with pytest.raises(CommandFailed):
        run_all(staged, suites_plan(staged[0], parallel(tmp_path, **commands)))
    assert time.monotonic() - started < 60


def test_how_far_a_suite_is_is_told_while_it_runs(
    staged: tuple[Staging, DeployEvidence], tmp_path: Path
) -> None:
    body = "def test_a(): reach()\ndef test_b(): reach(); time.sleep(1)\ndef test_c(): assert 0"
    (tmp_path / "test_it.py").write_text(f"{REACHING}\nimport time\n{body}", encoding="utf-8")
    suite = {"pytest": ["."], "cwd": str(tmp_path), "title": "It", "retries": 0, "on_baseline": "never"}
    plan = suites_plan(staged[0], {"it": suite})
    told: list[str] = []
    ports = staged[0].ports(plan)
    run_suites(plan, staged[1], ports, "run-1", watch=lambda progress: told.append(progress.sentence()))

    assert "It: 1 of 3 tests · test_b" in told
    assert told[-1].startswith("It: 3 of 3 tests, 1 failed")
