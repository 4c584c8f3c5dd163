"""The pytest plugin tells of real sessions what their own reports do not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runbook_lib.evidence.suites import TestResult
from runbook_lib.steps.suites.invocation import PLUGIN
from runbook_lib.steps.suites.pytest_log import PytestLogReader

SUITE = """
import pytest, sys, time

def test_good(): print("printed by good"); time.sleep(0.1)
def test_bad(): assert 1 == 2, "one is not two"
@pytest.mark.skip(reason="no network")
def test_skipped(): pass
@pytest.fixture
def broken(): raise RuntimeError("no database")
def test_error(broken): pass
@pytest.fixture
def untidy():
    yield
    raise RuntimeError("cannot tidy up")
def test_teardown(untidy): pass
@pytest.mark.xfail(reason="known")
def test_known(): assert False
@pytest.mark.xfail(reason="was known")
def test_cured(): pass
@pytest.mark.xfail(strict=True, reason="strictly known")
def test_strictly_cured(): pass
class TestGroup:
    @pytest.mark.parametrize("text", ["<b>", "a b"])
    def test_names(self, text): pass
"""


def session(folder: Path, *arguments: str, body: str = SUITE, **environment: str) -> PytestLogReader:
    """Run a real pytest with the plugin; return what was read of its file."""
    (folder / "test_it.py").write_text(body, encoding="utf-8")
    log = folder / "log.jsonl"
    env = {
        **os.environ, "PYTHONPATH": str(PLUGIN), "PYTEST_ADDOPTS": "-p runbook_pytest -p no:cacheprovider",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "RUNBOOK_PYTEST_LOG": str(log), **environment,
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False, timeout=60)
    reader = PytestLogReader()
    for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
        reader.feed(line)
    return reader


def by_name(reader: PytestLogReader, secrets: tuple[str, ...] = ()) -> dict[str, TestResult]:
    tests = reader.tests(secrets)
    assert tests is not None
    return {test.name.removeprefix("test_it.py::"): test for test in tests}


def test_every_kind_of_end_is_told(tmp_path: Path) -> None:
    before = time.time()
    reader = session(tmp_path)
    found = by_name(reader, ("no database",))
    assert {name: test.status for name, test in found.items()} == {
        "test_good": "passed", "test_bad": "failed", "test_skipped": "skipped", "test_error": "error",
        "test_teardown": "error", "test_known": "xfailed", "test_cured": "xpassed",
        "test_strictly_cured": "xpassed", "TestGroup::test_names[<b>]": "passed",
        "TestGroup::test_names[a b]": "passed",
    }  # fmt: skip
    assert found["test_bad"].detail.startswith("AssertionError: one is not two")
    assert "[redacted]" in found["test_error"].detail
    assert "no network" in found["test_skipped"].detail
    assert found["test_known"].detail == "known"
    good = found["test_good"]
    assert good.output == "printed by good\n"
    assert good.start is not None
    assert before <= good.start.timestamp() <= time.time() - 0.1
    assert 0.1 <= (good.duration_s or 0) < 60
    tally = reader.tally()
    assert (tally.done, tally.failed, tally.total, tally.running) == (10, 3, 10, "")


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_a_test_in_which_the_interpreter_ended_is_an_error(tmp_path: Path, end: str) -> None:
    found = by_name(session(tmp_path, body=f"import os\ndef test_a(): pass\ndef test_b(): {end}"))
    assert [(name, test.status) for name, test in found.items()] == [
        ("test_a", "passed"),
        ("test_b", "error"),
    ]
    assert found["test_b"].detail == "the runner ended while this test ran"


def test_a_session_that_ends_between_its_tests_did_not_come_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import os\ndef pytest_runtest_logfinish(nodeid): os._exit(0)", encoding="utf-8"
    )
    found = by_name(session(tmp_path, body="def test_a(): pass\ndef test_b(): pass"))
    assert "error" in {test.status for test in found.values()}


def test_a_file_that_cannot_be_collected_is_an_error_and_a_skipped_one_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "test_off.py").write_text("import pytest\npytest.skip('off', allow_module_level=True)")
    found = by_name(session(tmp_path, body="import no_such_module_at_all"))
    assert {name: test.status for name, test in found.items()} == {
        "test_it.py": "error",
        "test_off.py": "skipped",
    }


def test_only_the_chosen_tests_are_run_again(tmp_path: Path) -> None:
    only = tmp_path / "only.json"
    only.write_text(json.dumps(["test_it.py::test_bad", "test_it.py::TestGroup::test_names[a b]"]))
    found = by_name(session(tmp_path, RUNBOOK_PYTEST_ONLY=str(only)))
    assert {name: test.status for name, test in found.items()} == {
        "test_bad": "failed", "TestGroup::test_names[a b]": "passed",
    }  # fmt: skip


def test_parallel_workers_report_once_and_run_only_the_chosen(tmp_path: Path) -> None:
    only = tmp_path / "only.json"
    only.write_text(json.dumps(["test_it.py::test_good", "test_it.py::test_bad"]))
    reader = session(tmp_path, "-p", "xdist.plugin", "-n", "1", RUNBOOK_PYTEST_ONLY=str(only))
    assert {name: test.status for name, test in by_name(reader).items()} == {
        "test_good": "passed", "test_bad": "failed",
    }  # fmt: skip


def test_a_pytest_inside_a_test_does_not_report(tmp_path: Path) -> None:
    (tmp_path / "inner.py").write_text("def test_inner(): assert False", encoding="utf-8")
    run = "subprocess.run([sys.executable, '-m', 'pytest', 'inner.py'])"
    inside = f"import subprocess, sys\ndef test_outer(): {run}"
    assert list(by_name(session(tmp_path, body=inside))) == ["test_outer"]


def test_the_time_between_a_tests_phases_is_its_own_too() -> None:
    reader = PytestLogReader()
    phase = {"event": "report", "test": "a", "outcome": "passed", "xfail": False, "start": None, "text": ""}
    for record in (
        {"event": "session", "time": 0}, {"event": "start", "test": "a", "time": 1e9},
        {**phase, "when": "call", "duration_s": 0.5, "output": "", "time": 1e9 + 2},
        {"event": "end", "test": "a", "time": 1e9 + 3}, {"event": "finish", "time": 1e9 + 4},
    ):  # fmt: skip
        reader.feed(json.dumps(record))
    (test,) = reader.tests() or ()
    assert test.duration_s == 3


def test_lines_that_are_none_are_passed_over() -> None:
    reader = PytestLogReader()
    for line in (
        "",
        "{",
        "[]",
        "{}",
        '{"event": "start"}',
        '{"event": "report", "test": "a", "time": "x"}',
        "7",
    ):
        reader.feed(line)
    assert reader.tests() is None
