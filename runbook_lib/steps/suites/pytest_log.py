"""Read what our pytest plugin writes: each test with its time, also where pytest never came to its end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runbook_lib.evidence.suites import TestResult, TestStatus
from runbook_lib.steps.suites.reported import ENDED_IN_IT, MOST_TESTS, Tally, a_test

_STRICT = "[XPASS(strict)]"


@dataclass(kw_only=True)
class _Test:
    """One test as its reports come in.

    Attributes:
        last_s: When it was last heard of: the phases' own lengths leave out what is between them.
        worst: None until a report decides.
    """

    name: str
    start_s: float
    last_s: float = 0.0
    worst: TestStatus | None = None
    duration_s: float = 0.0
    text: str = ""
    output: str = ""
    ended: bool = False


class PytestLogReader:
    """Implements `reported.Reader`, for the lines of the plugin's file."""

    def __init__(self) -> None:
        self._tests: dict[str, _Test] = {}
        self._collecting: list[tuple[str, TestStatus, str]] = []
        self._sessions = self._finished = self._count = 0

    def feed(self, line: str) -> None:
        """Take one line of the file; a last one that was cut off by a crash is passed over."""
        with suppress(ValueError, KeyError, TypeError):
            self._take(json.loads(line))

    def tally(self) -> Tally:
        """Return how far the session is, and in which test."""
        tests = self._tests.values()
        running = next((test.name for test in reversed(tests) if not test.ended), "")
        return Tally(
            done=sum(test.ended for test in tests),
            failed=sum(test.worst in ("failed", "error") for test in tests),
            total=self._count or None,
            running=running,
        )

    def tests(self, secrets: Sequence[str] = ()) -> tuple[TestResult, ...] | None:
        """Return every test, what could not be collected, and an error for a session without an end."""
        if not self._sessions:
            return None
        told = [_told(test, secrets) for test in self._tests.values()]
        told += [a_test(name, status, None, detail=text, secrets=secrets)
                 for name, status, text in self._collecting]  # fmt: skip
        if self._finished < self._sessions and all(test.ended for test in self._tests.values()):
            told.append(a_test("pytest", "error", None, detail="pytest itself did not come to its end"))
        return tuple(told)

    def _take(self, record: dict[str, Any]) -> None:
        match record["event"]:
            case "session":
                self._sessions += 1
            case "collected":
                self._count += int(record["count"])
            case "collect":
                status: TestStatus = "error" if record["outcome"] == "failed" else "skipped"
                self._collecting.append((str(record["test"]), status, str(record["text"])))
            case "finish":
                self._finished += 1
            case "start" | "report" | "end" as event if len(self._tests) < MOST_TESTS:
                name = str(record["test"])
                test = self._tests.setdefault(name, _Test(name=name, start_s=float(record["time"])))
                test.ended, test.last_s = event == "end", float(record["time"])
                if event == "report":
                    _add(test, record)


def _add(test: _Test, record: dict[str, Any]) -> None:
    """Add the report of one phase to its test."""
    if record["when"] == "setup" and record["start"]:
        test.start_s = float(record["start"])
    test.duration_s += float(record["duration_s"])
    test.output = str(record["output"]) or test.output
    status = _status(record)
    if status and test.worst not in ("failed", "error"):
        test.worst = status
        test.text = str(record["text"])


def _status(record: dict[str, Any]) -> TestStatus | None:
    """Return what one phase says of its test; a set-up or a teardown that went well says nothing."""
    outcome, in_call = record["outcome"], record["when"] == "call"
    if record["xfail"]:
        return "xpassed" if outcome == "passed" else "xfailed"
    if outcome == "failed":
        if str(record["text"]).startswith(_STRICT):
            return "xpassed"
        return "failed" if in_call else "error"
    if outcome == "skipped":
        return "skipped"
    return "passed" if in_call else None


def _told(test: _Test, secrets: Sequence[str]) -> TestResult:
    open_ended = not test.ended or test.worst is None
    return a_test(
        test.name,
        "error" if open_ended else test.worst or "error",
        None if open_ended else max(test.duration_s, test.last_s - test.start_s),
        detail=f"{ENDED_IN_IT}\n{test.text}".strip() if open_ended else test.text,
        output=test.output,
        start=_moment(test.start_s),
        secrets=secrets,
    )


def _moment(seconds: float) -> datetime | None:
    with suppress(ValueError, OverflowError, OSError):  # the file is within the suite's reach
        return datetime.fromtimestamp(seconds, UTC)
    return None
