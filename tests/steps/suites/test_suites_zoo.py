"""A zoo of lying and odd suites, run together against a real candidate: each gets the outcome it deserves."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from cloud import Staging
from zoo import JWT, REACH, ZOO, Animal

from runbook_lib.evidence import DeployEvidence, Measurement
from runbook_lib.evidence.suites import SuiteResult, SuitesEvidence
from runbook_lib.plan import Endpoints
from runbook_lib.steps.suites import run_suites, trouble_files

THING, SECRET = "opaque-thing-0815", "swordfish-4711"
QUICK = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # a plain pytest starts in a third of the time
OLD = "<testsuite><testcase name='a' time='1'/></testsuite>"


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What one suites step said of all animals, whose cages are in `folder`."""

    evidence: SuitesEvidence
    folder: Path

    def of(self, name: str) -> tuple[SuiteResult, Measurement]:
        """Return what was said of one."""
        suite = next(suite for suite in self.evidence.suites if suite.id == name)
        metric = f"suite.{name}.failures"
        return suite, next(m for m in self.evidence.measurements if m.metric == metric)


@pytest.fixture(scope="module")
def zoo(emulator: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """What one suites step says of all animals; they run at the same time and are told apart by name."""
    folder = tmp_path_factory.mktemp("zoo")
    staging = Staging(endpoints=emulator, service=f"svc-{secrets.token_hex(4)}", folder=folder)
    staging.create()
    deployed = staging.deploy()
    plan = staging.plan(suites={name: keep(folder, name, ZOO[name], deployed) for name in ZOO})
    ports = staging.ports(plan, MY_THING=THING, A_SECRET=SECRET)
    yield Visit(evidence=run_suites(plan, deployed, ports, "run-1", (SECRET,)), folder=folder)
    staging.delete()


def keep(folder: Path, name: str, animal: Animal, deployed: DeployEvidence) -> dict[str, object]:
    """Put an animal into a cage of its own; return it as a suite of the plan."""
    cage = folder / name
    cage.mkdir()
    (cage / "test_it.py").write_text(REACH + animal.body, encoding="utf-8")
    (cage / "old.xml").write_text(OLD, encoding="utf-8")
    os.utime(cage / "old.xml", (1e9, 1e9))
    how = {"command": ["python", "test_it.py", "{junit}"]} if animal.script else {"pytest": ["test_it.py"]}
    env = {"URL": "{candidate_url}", "OTHER": "{baseline_url}", **animal.fields.get("env", {})}
    env = {key: text.replace("{plain_url}", deployed.candidate_url) for key, text in env.items()}
    usual = {"retries": 0, "on_baseline": "never", "parallel": True, "user_agent": "runbook/{run_id}/{suite}"}
    return {"cwd": str(cage), **usual, **how, **animal.fields, "env": {**QUICK, **env}}


@pytest.mark.parametrize("name", ZOO)
def test_each_gets_the_outcome_that_a_careful_person_would_give(zoo: Visit, name: str) -> None:
    animal = ZOO[name]
    suite, failures = zoo.of(name)
    assert tuple(test.status for test in suite.tests) == animal.statuses, suite
    assert failures.value == animal.value
    assert bool(failures.missing) == (animal.value is None or "hollow" in animal.statuses)
    assert not animal.says or animal.says in suite.tests[0].detail


def test_there_are_enough_of_them() -> None:
    assert len(ZOO) >= 20


def test_a_child_that_was_left_does_not_survive(zoo: Visit) -> None:
    child = int((zoo.folder / "leaves-a-child" / "child").read_text(encoding="utf-8"))
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_of_much_output_both_ends_are_kept(zoo: Visit) -> None:
    suite, _ = zoo.of("fifty-megabytes")
    assert suite.output.startswith("the beginning\nxxx")
    assert suite.output.endswith("xxx\nthe end\n")
    assert len(suite.output) < 25_000


@pytest.mark.parametrize(
    ("name", "finding", "baseline"),
    [
        ("fails-on-the-candidate-alone", "new failure", "passed"),
        ("fails-on-both", "fails on both", "failed"),
        ("is-fixed", "fixed", "failed"),
        ("flaky", "flaky", ""),
        ("cannot-be-sent-to-the-baseline", "not compared",
         "not run: neither command nor env has {candidate_url}, so it cannot be sent to the baseline"),
        ("asserts-nothing", "", ""),
    ],
)  # fmt: skip
def test_new_old_flaky_and_fixed_are_told_apart(zoo: Visit, name: str, finding: str, baseline: str) -> None:
    test = zoo.of(name)[0].tests[0]
    assert (test.finding, test.baseline) == (finding, baseline)


def test_a_failure_has_its_output_the_candidates_lines_and_the_traces_in_a_folder(zoo: Visit) -> None:
    test = zoo.of("fails-on-both")[0].tests[0]
    assert test.trouble is not None
    assert any("/health" in line for line in test.trouble.log)
    assert test.trouble.traces
    files = trouble_files(zoo.evidence)
    assert "assert 0" in files[f"{test.trouble.folder}/failure.txt"]
    assert "/health" in files[f"{test.trouble.folder}/candidate.log"]
    assert files[f"{test.trouble.folder}/traces.txt"].split() == list(test.trouble.traces)


def test_no_name_of_a_test_leads_out_of_the_run_folder(zoo: Visit) -> None:
    for name in trouble_files(zoo.evidence):
        folder, failure, file = name.rsplit("/", 2)
        assert folder == "evidence/failures"
        assert set(failure) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
        assert file in ("failure.txt", "candidate.log", "traces.txt")


def test_no_secret_is_in_the_evidence_nor_in_the_bundles(zoo: Visit) -> None:
    suite, _ = zoo.of("prints-a-token")
    assert "[redacted]" in suite.output
    written = zoo.evidence.model_dump_json() + "".join(trouble_files(zoo.evidence).values())
    assert [text for text in (JWT, THING, SECRET) if text in written] == []
