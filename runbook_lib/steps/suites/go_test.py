"""Read what `go test -json` prints.

Source: https://pkg.go.dev/cmd/test2json
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runbook_lib.evidence.suites import TestResult, TestStatus
from runbook_lib.steps.suites.reported import ENDED_IN_IT, MOST_TESTS, RAW_CHARS, Tally, a_test

_ENDS: dict[str, TestStatus] = {"pass": "passed", "fail": "failed", "skip": "skipped"}
_CACHED = "a result from go's cache, the test was not run now: add -count=1 to the command"


@dataclass(kw_only=True)
class _Run:
    """One test or, with an empty `test`, one package."""

    package: str
    test: str
    status: TestStatus | None = None
    start: datetime | None = None
    duration_s: float | None = None
    output: str = ""

    @property
    def failed(self) -> bool:
        return self.status in ("failed", "error")


class GoTestReader:
    """Implements `reported.Reader`. A test with subtests is told by them."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], _Run] = {}
        self._cached: set[str] = set()

    def feed(self, line: str) -> None:
        """Take one line of the suite's output."""
        if not line.startswith("{"):
            return
        with suppress(ValueError, RecursionError):
            event = json.loads(line)
            if isinstance(event.get("Action"), str) and isinstance(event.get("Package"), str):
                self._take(event)

    def tally(self) -> Tally:
        """Return how many tests have ended, and which one runs."""
        tests = [run for run in self._runs.values() if run.test]
        ended = [run for run in tests if run.status]
        running = next((run.test for run in reversed(tests) if not run.status), "")
        return Tally(done=len(ended), failed=sum(run.failed for run in ended), running=running)

    def tests(self, secrets: Sequence[str] = ()) -> tuple[TestResult, ...] | None:
        """Return every test, and each package that failed without a failed test; None if nothing came."""
        if not self._runs:
            return None
        return tuple(self._told(run, secrets) for run in self._runs.values() if self._counts(run))

    def _take(self, event: dict[str, Any]) -> None:
        action, key = event["Action"], (event["Package"], str(event.get("Test") or ""))
        if key not in self._runs and len(self._runs) >= MOST_TESTS:
            return
        run = self._runs.setdefault(key, _Run(package=key[0], test=key[1]))
        if action in ("run", "start"):
            run.start = _time(event.get("Time"))
        elif action in _ENDS:
            run.status, run.duration_s = _ENDS[action], _length(run, event)
        elif action == "output":
            run.output = (run.output + str(event.get("Output", "")))[-RAW_CHARS:]
            if not run.test and run.output.rstrip().endswith("(cached)"):
                self._cached.add(run.package)

    def _counts(self, run: _Run) -> bool:
        """Say whether a run is told by itself: not a package or a parent whose children tell it."""
        children = [
            other for other in self._runs.values()
            if other.package == run.package and other is not run and other.test.startswith(_prefix(run))
        ]  # fmt: skip
        if run.failed or run.status is None:
            return bool(run.test and not children) or not any(c.failed or c.status is None for c in children)
        return bool(run.test) and not children

    def _told(self, run: _Run, secrets: Sequence[str]) -> TestResult:
        status, detail = run.status, run.output if run.failed or run.status == "skipped" else ""
        if status is None:
            status, detail = "error", ENDED_IN_IT if run.test else "go test did not finish"
        elif run.package in self._cached:
            status, detail = "skipped", _CACHED
        name = f"{run.package} {run.test}".strip()
        return a_test(
            name, status, run.duration_s, detail=detail, output=run.output, start=run.start, secrets=secrets
        )


def _prefix(run: _Run) -> str:
    return f"{run.test}/" if run.test else ""


def _time(text: object) -> datetime | None:
    with suppress(TypeError, ValueError):
        moment = datetime.fromisoformat(text)  # type: ignore[arg-type]  # that is the TypeError
        return moment if moment.tzinfo else None
    return None


def _length(run: _Run, end: dict[str, Any]) -> float | None:
    """Return seconds by the events' own times where that is more: `Elapsed` is cut to hundredths."""
    elapsed, stop = end.get("Elapsed"), _time(end.get("Time"))
    known = [float(elapsed)] if isinstance(elapsed, int | float) else []
    known += [(stop - run.start).total_seconds()] if stop and run.start else []
    return max(known, default=None)
