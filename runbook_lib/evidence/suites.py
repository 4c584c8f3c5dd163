"""Define what running the suites leaves behind: every test, what came of it, and where its trouble lies."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from runbook_lib.evidence import Record, StepEvidence, Window

TestStatus = Literal[
    "passed", "failed", "error", "skipped", "xfailed", "xpassed", "hollow", "flaky"
]  # fmt: skip
Finding = Literal["", "new failure", "fails on both", "flaky", "not compared", "fixed"]


class Trouble(Record):
    """What helps to understand one failed test; the same as files in `folder` below the run folder.

    Attributes:
        log: The candidate's log lines in the test's time, oldest first.
        traces: Ids of their traces.
        log_left_out: Lines that were read and are not in `log`.
    """

    folder: str
    log: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    log_left_out: int = 0


class TestResult(Record):
    """One test of a suite.

    Attributes:
        status: `hollow`: passed, and did not reach the candidate. `xfailed`, `xpassed`: was expected to fail.
            `flaky`: failed, and passed when it was run again.
        detail: Why it did not pass, its beginning.
        output: What it printed, its end.
        start: When it began; None where the runner does not tell.
        attempts: How often it was run on the candidate.
        baseline: Its status on the baseline, or why it has none there; empty where it was not run there.
        finding: What all its runs together say of a failure; `fixed`: failed on the baseline alone.
        trouble: For a failed test, what was seen in its time.
    """

    __test__ = False  # pytest would otherwise collect this record

    name: str
    status: TestStatus
    duration_s: float | None
    detail: str = ""
    output: str = ""
    start: datetime | None = None
    attempts: int = Field(default=1, ge=1)
    baseline: str = ""
    finding: Finding = ""
    trouble: Trouble | None = None

    @property
    def failed(self) -> bool:
        """Whether it failed or broke."""
        return self.status in ("failed", "error")


class SuiteResult(Record):
    """One run of a suite.

    Attributes:
        argv: The command as run, with its templates filled and redacted.
        window: Of its first run on the candidate.
        read_as: What its tests were read from: `pytest`, `JUnit`, `TAP`, `go test` or `exit code`.
        must_reach_candidate: Passes were believed only where the candidate was reached.
        requests: Requests in the candidate's request log in the suite's window; None where it was not asked.
        timed_out: The suite was ended at its time limit.
        runs: How often it, or a part of it, was run on the candidate.
        baseline_tests: Tests that were run on the baseline too, with what they gave there.
        output: Beginning and end of what it printed, redacted.
    """

    id: str
    title: str
    argv: tuple[str, ...]
    window: Window
    exit_code: int | None
    timed_out: bool = False
    read_as: str = "exit code"
    must_reach_candidate: bool = True
    requests: int | None = None
    runs: int = 1
    tests: tuple[TestResult, ...] = ()
    baseline_tests: tuple[TestResult, ...] = ()
    output: str = ""


class SuitesEvidence(StepEvidence):
    """All suites of the plan, in the plan's order."""

    suites: tuple[SuiteResult, ...] = ()
