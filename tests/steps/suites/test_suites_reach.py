"""A request counts for a test if it was open at some moment of the test's time, and is the suite's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from runbook_lib.evidence import Window
from runbook_lib.evidence.suites import SuiteResult, TestResult
from runbook_lib.plan.suite import Suite
from runbook_lib.steps.suites.reach import NO_TIME, RequestLog, believed

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def log(*requests: tuple[float, float, str], skew_s: float = 0) -> RequestLog:
    """Return a log of requests: begin and length in seconds, and user agent."""
    rows = {
        "time": pd.to_datetime([at(begin) for begin, _, _ in requests], utc=True),
        "latency_s": [length for _, length, _ in requests],
        "user_agent": [agent for _, _, agent in requests],
    }
    return RequestLog(pd.DataFrame(rows).astype({"latency_s": float}), timedelta(seconds=skew_s))


@pytest.mark.parametrize(
    ("begin", "length", "skew", "count"),
    [(10, 0, 0, 1), (20, 0, 0, 1), (9.9, 0, 0, 0), (20.1, 0, 0, 0), (5, 5, 0, 1), (5, 60, 0, 1),
     (5, 4.9, 0, 0), (9.9, float("nan"), 0, 0), (9.9, 0, 0.2, 1), (20.1, 0, 0.2, 1), (20.3, 0, 0.2, 0)],
)  # fmt: skip
def test_a_request_counts_while_it_is_open(begin: float, length: float, skew: float, count: int) -> None:
    assert log((begin, length, ""), skew_s=skew).count(at(10), at(20)) == count


@pytest.mark.parametrize(
    ("agent", "mine"),
    [("runbook/run-1/e2e", True), ("python runbook/run-1/e2e httpx", True), ("runbook/run-1/e2e-slow", False),
     ("xrunbook/run-1/e2e", False), ("runbook/run-1/e2", False), ("", False)],
)  # fmt: skip
def test_a_suites_own_requests_are_told_by_their_user_agent(agent: str, mine: bool) -> None:
    assert log((10, 0, agent)).by("runbook/run-1/e2e").count(at(10), at(20)) == mine


def after(test: dict[str, object], requests: RequestLog, **fields: object) -> TestResult:
    """Return a passed test as it is believed; it was one of a suite that took 20 s."""
    passed = TestResult.model_validate({"name": "a", "status": "passed", "duration_s": 1, **test})
    window = Window(start=NOON, end=at(20))
    result = SuiteResult(id="s", title="S", argv=("x",), window=window, exit_code=0, tests=(passed,))
    return believed(Suite.model_validate({"command": ["x"], **fields}), result, requests).tests[0]


@pytest.mark.parametrize(
    ("test", "fields", "status"),
    [
        ({"start": at(10)}, {}, "passed"),
        ({"start": at(12)}, {}, "hollow"),
        ({"start": at(12)}, {"reach_per": "suite"}, "passed"),
        ({"start": at(12)}, {"must_reach_candidate": False}, "passed"),
        ({}, {}, "passed"),
        ({"duration_s": None}, {}, "passed"),
        ({"duration_s": 0}, {}, "hollow"),
        ({"duration_s": 0}, {"reach_per": "suite"}, "passed"),
        ({"duration_s": 0, "start": at(10)}, {}, "passed"),
        ({"status": "failed", "start": at(12)}, {}, "failed"),
        ({"status": "flaky", "start": at(12)}, {}, "flaky"),
    ],
)  # fmt: skip
def test_a_pass_is_believed_by_the_request_in_its_own_time(
    test: dict[str, object], fields: dict[str, object], status: str
) -> None:
    assert after(test, log((10, 0.5, "")), **fields).status == status


def test_a_pass_in_no_time_says_why_it_is_none() -> None:
    assert after({"duration_s": 0}, log((10, 0, ""))).detail == NO_TIME


def test_a_suite_whose_log_is_empty_has_no_pass() -> None:
    assert after({}, log(), reach_per="suite").status == "hollow"
