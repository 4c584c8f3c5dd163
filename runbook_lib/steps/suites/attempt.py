"""Run a suite once and read, from the best report that it left, what each of its tests did."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from threading import Event

from runbook_lib.evidence import DeployEvidence, Role
from runbook_lib.evidence.suites import TestResult
from runbook_lib.plan.suite import Suite
from runbook_lib.ports import CommandResult, Ports
from runbook_lib.redact import plain, redact
from runbook_lib.steps.suites.go_test import GoTestReader
from runbook_lib.steps.suites.invocation import Invocation, chosen, invocation
from runbook_lib.steps.suites.junit import read_junit
from runbook_lib.steps.suites.progress import SuiteProgress, Watch
from runbook_lib.steps.suites.pytest_log import PytestLogReader
from runbook_lib.steps.suites.reported import DETAIL_CHARS, Reader, Tally, a_test
from runbook_lib.steps.suites.tap import TapReader

_PYTEST_COLLECTED_NOTHING = 5
_LOOK_EVERY_S = 0.2
_LARGEST_LINE_BYTES = 1_000_000
_LINE_CHARS = 120


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What every suite of a run is run with.

    Attributes:
        secrets: What must not be in the evidence, whatever a suite prints or reports.
        watch: Told how far a suite is, a few times a second.
        stopped: Set when the step is ended, so that suites in other threads end too.
    """

    deployed: DeployEvidence
    ports: Ports
    run_id: str
    secrets: Sequence[str]
    watch: Watch | None = None
    stopped: Event = field(default_factory=Event)


@dataclass(frozen=True, kw_only=True)
class Report:
    """The tests of one run, and what they were read from."""

    read_as: str
    tests: tuple[TestResult, ...]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One run of a suite, or of a part of it."""

    argv: tuple[str, ...]
    result: CommandResult
    report: Report


def attempt(
    name: str, suite: Suite, bench: Bench, role: Role = "candidate", again: Report | None = None
) -> Attempt:
    """Run a suite on one revision.

    Args:
        again: The tests that are to be run again, as they were read; None for the whole suite.

    Raises:
        CommandFailed: If its command cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="runbook-suite-") as folder:
        how = invocation(
            name, suite, bench.deployed, role,
            run_id=bench.run_id, folder=Path(folder), environment=bench.ports.commands.environment,
        )  # fmt: skip
        if again:
            how = chosen(how, [test.name for test in again.tests], again.read_as)
        follower = _Follower(how, bench, _progress(name, suite, role, bench.secrets))
        result = bench.ports.commands.run(
            how.argv, cwd=Path(suite.cwd), env=how.env, timeout_s=suite.timeout_s,
            secrets=bench.secrets, listener=follower,
        )  # fmt: skip
        follower.look()
        report = _reported(suite, how, follower, result.window.start, bench.secrets)
    return Attempt(argv=how.argv, result=result, report=_with_its_end(suite, result, report))


class _Follower:
    """Implements `ports.Listener`: reads what the suite prints and what our pytest plugin writes."""

    def __init__(
        self, how: Invocation, bench: Bench, progress: Callable[[Tally, str], SuiteProgress]
    ) -> None:
        self._clock, self._watch, self._progress = bench.ports.clock, bench.watch, progress
        self._stopped = bench.stopped
        self._log, self._log_at = how.pytest_log, 0
        self._line, self._due_s = "", 0.0
        self.pytest = PytestLogReader()
        self.printed: dict[str, Reader] = {"go test": GoTestReader(), "TAP": TapReader()}

    def hear(self, line: str) -> None:
        """Take one line of the suite's output."""
        self._line = line
        for reader in self.printed.values():
            reader.feed(line)

    def pulse(self) -> None:
        """Look for news, unless that was just done; leaving by an exception ends the suite."""
        if self._stopped.is_set():
            raise InterruptedError("the step was ended")
        if self._clock.monotonic_s() >= self._due_s:
            self._due_s = self._clock.monotonic_s() + _LOOK_EVERY_S
            self.look()

    def look(self) -> None:
        """Read what the plugin has written meanwhile, and tell how far the suite is."""
        for line in self._new_lines():
            self.pytest.feed(line)
        if self._watch:
            tallies = [reader.tally() for reader in (self.pytest, *self.printed.values())]
            self._watch(self._progress(max(tallies, key=lambda tally: tally.done), self._line))

    def _new_lines(self) -> Iterator[str]:
        if not self._log.is_file():
            return
        with self._log.open("rb") as log:
            log.seek(self._log_at)
            while (line := log.readline(_LARGEST_LINE_BYTES)).endswith(b"\n"):
                self._log_at += len(line)
                yield line.decode(errors="replace")


def _progress(
    name: str, suite: Suite, role: Role, secrets: Sequence[str]
) -> Callable[[Tally, str], SuiteProgress]:
    def shown(text: str) -> str:
        return redact(plain(text), secrets)[:_LINE_CHARS]

    def progress(tally: Tally, line: str) -> SuiteProgress:
        known = replace(tally, running=shown(tally.running))
        return SuiteProgress(suite=name, title=suite.title or name, role=role, tally=known, line=shown(line))

    return progress


def _reported(
    suite: Suite, how: Invocation, follower: _Follower, start: datetime, secrets: Sequence[str]
) -> Report | None:
    """Return the best report: the file that the plan names, else the one that tells most of each test."""
    if suite.junit:
        return Report(read_as="JUnit", tests=_written(suite, start, secrets))
    found = {
        "pytest": follower.pytest.tests(secrets),
        "JUnit": read_junit(how.junit, secrets),
        **{kind: reader.tests(secrets) for kind, reader in follower.printed.items()},
    }
    return next(
        (Report(read_as=kind, tests=tests) for kind, tests in found.items() if tests is not None), None
    )


def _written(suite: Suite, start: datetime, secrets: Sequence[str]) -> tuple[TestResult, ...]:
    """Return the tests of the plan's own report files; one from before this run is no report of it."""
    files = (
        sorted(Path(suite.cwd).glob(suite.junit))
        if not Path(suite.junit).is_absolute()
        else [Path(suite.junit)]
    )
    fresh = [file for file in files if file.is_file() and file.stat().st_mtime >= start.timestamp() - 1]
    reports = [tests for file in fresh if (tests := read_junit(file, secrets)) is not None]
    if not reports:
        detail = f"no report: this run wrote nothing to {suite.junit} in {suite.cwd}"
        return (a_test("report", "error", None, detail=detail, secrets=secrets),)
    return tuple(test for tests in reports for test in tests)


def _with_its_end(suite: Suite, result: CommandResult, report: Report | None) -> Report:
    """Return the report, with one more test where the command's end tells of a failure that it does not."""
    tests = report.tests if report else ()
    read_as = report.read_as if report else "exit code"
    return Report(read_as=read_as, tests=(*tests, *_told_by_its_end(suite, result, report)))


def _told_by_its_end(suite: Suite, result: CommandResult, report: Report | None) -> tuple[TestResult, ...]:
    tail = result.output[-DETAIL_CHARS:]
    if result.exit_code is None:
        text = f"ended at its time limit of {suite.timeout_s:g} s\n{tail}"
        return (TestResult(name="time limit", status="error", duration_s=None, detail=text),)
    name = f"exit code {result.exit_code}"
    if result.exit_code and not _explained(result.exit_code, report):
        return (TestResult(name=name, status="failed", duration_s=None, detail=tail),)
    if report is None and suite.pytest:
        text = f"pytest ended well and left no report\n{tail}"
        return (TestResult(name=name, status="error", duration_s=None, detail=text),)
    if report is None:
        return (TestResult(name=name, status="passed", duration_s=result.window.seconds),)
    return ()


def _explained(exit_code: int, report: Report | None) -> bool:
    """Say whether the report itself tells why the command ended so: a strict xpass is pytest's failure."""
    if report is None:
        return False
    nothing_collected = report.read_as == "pytest" and exit_code == _PYTEST_COLLECTED_NOTHING
    return nothing_collected or any(test.failed or test.status == "xpassed" for test in report.tests)
