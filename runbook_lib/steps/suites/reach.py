"""Believe a pass only where the candidate's request log shows that it was reached."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pandas as pd

from runbook_lib.evidence.suites import SuiteResult, TestResult
from runbook_lib.plan.suite import Suite

IN_THE_SUITE = "passed, but the candidate's request log shows no request in the suite's time"
IN_THE_TEST = "passed, but the candidate's request log shows no request in the test's time"
NO_TIME = "passed in 0 s: nothing can have been asked of the candidate in no time"


class RequestLog:
    """The requests that reached the candidate while the suites ran.

    Args:
        requests: One row per request; columns as in `ports.logs.Logs.read`.
        skew: How much the clocks of this machine and of the cloud may differ.
    """

    def __init__(self, requests: pd.DataFrame, skew: timedelta) -> None:
        self._requests, self._skew = requests, skew
        self._ends = requests["time"] + pd.to_timedelta(requests["latency_s"].fillna(0), unit="s")

    def by(self, user_agent: str) -> RequestLog:
        """Return the requests whose user agent contains a text as whole words: no `e2e` in `e2e-slow`."""
        names = self._requests["user_agent"].fillna("").astype(str)
        return RequestLog(
            self._requests[names.str.contains(rf"(?<![\w-]){re.escape(user_agent)}(?![\w-])")], self._skew
        )

    def count(self, start: datetime, end: datetime) -> int:
        """Return how many were open at some moment of the span, as a WebSocket is for long."""
        begun = self._requests["time"] <= end + self._skew
        return int((begun & (self._ends >= start - self._skew)).sum())


def believed(suite: Suite, result: SuiteResult, log: RequestLog) -> SuiteResult:
    """Return the result with its requests counted, and with passes turned hollow where there were none."""
    reached = log.count(result.window.start, result.window.end)
    tests = result.tests
    if suite.must_reach_candidate:
        tests = tuple(_believed(test, suite, reached, log) for test in tests)
    return result.model_copy(update={"requests": reached, "tests": tests})


def _believed(test: TestResult, suite: Suite, reached: int, log: RequestLog) -> TestResult:
    why = _doubt(test, suite, reached, log) if test.status == "passed" else ""
    return test.model_copy(update={"status": "hollow", "detail": why, "finding": ""}) if why else test


def _doubt(test: TestResult, suite: Suite, reached: int, log: RequestLog) -> str:
    """Return why a pass is not believed, or an empty text."""
    if not reached:
        return IN_THE_SUITE
    if suite.reach_per == "suite":
        return ""
    if test.start is None:
        return NO_TIME if test.duration_s == 0 else ""
    end = test.start + timedelta(seconds=test.duration_s or 0)
    return "" if log.count(test.start, end) else IN_THE_TEST
