"""Run again what failed: on the candidate, since it may be flaky, and on the baseline: it may be old."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runbook_lib.evidence.suites import TestResult
from runbook_lib.plan.suite import Suite, as_argv
from runbook_lib.steps.suites.attempt import Attempt, Bench, Report, attempt

_OF_THE_SUITE = re.compile(r"exit code -?\d+|time limit|pytest|plan|bail out|report")
_TEMPLATES = ("{candidate_url}", "{candidate_ws_url}")


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A suite's tests after all of its runs. `runs` counts those on the candidate."""

    tests: tuple[TestResult, ...]
    baseline_tests: tuple[TestResult, ...] = ()
    runs: int = 1


def compared(name: str, suite: Suite, first: Attempt, bench: Bench) -> Compared:
    """Return the tests of the first run, each failure with what running it again said."""
    tests, runs = first.report.tests, 1
    hung = first.result.exit_code is None
    while runs <= suite.retries and not hung and any(test.failed for test in tests):
        again = attempt(name, suite, bench, again=_failures(first.report.read_as, tests))
        runs += 1
        tests = tuple(_retried(test, again.report.tests, runs) for test in tests)
        hung = again.result.exit_code is None
    return _against_the_baseline(name, suite, first, Compared(tests=tests, runs=runs), bench)


def _failures(read_as: str, tests: tuple[TestResult, ...]) -> Report:
    return Report(read_as=read_as, tests=tuple(test for test in tests if test.failed))


def _retried(test: TestResult, again: tuple[TestResult, ...], runs: int) -> TestResult:
    if not test.failed:
        return test
    if status_in(again, test) == "passed":
        changes = {"status": "flaky", "finding": "flaky", "attempts": runs}
        return test.model_copy(update={**changes, "detail": f"passed when run again, before:\n{test.detail}"})
    return test.model_copy(update={"attempts": runs})


def _against_the_baseline(name: str, suite: Suite, first: Attempt, seen: Compared, bench: Bench) -> Compared:
    """Return the tests with what they gave on the baseline, as far as the plan wants them run there."""
    failures = _failures(first.report.read_as, seen.tests)
    if suite.on_baseline == "never" or not (failures.tests or suite.on_baseline == "always"):
        return seen
    if why := _not_comparable(suite, first, bench):
        tests = tuple(_not_compared(test, why) if test.failed else test for test in seen.tests)
        return Compared(tests=tests, runs=seen.runs)
    again = None if suite.on_baseline == "always" else failures
    before = attempt(name, suite, bench, "baseline", again).report.tests
    tests = tuple(_found(test, before) for test in seen.tests)
    return Compared(tests=tests, baseline_tests=before, runs=seen.runs)


def _not_comparable(suite: Suite, first: Attempt, bench: Bench) -> str:
    """Return why the suite cannot be run on the baseline, or an empty text."""
    if not bench.deployed.baseline_url:
        return "not run: there is no baseline"
    if first.result.exit_code is None and suite.on_baseline != "always":
        return "not run: the suite was ended at its time limit"
    written = (*as_argv(suite), *suite.env.values())
    if not any(template in text for text in written for template in _TEMPLATES):
        return "not run: neither command nor env has {candidate_url}, so it cannot be sent to the baseline"
    return ""


def _not_compared(test: TestResult, why: str) -> TestResult:
    return test.model_copy(update={"baseline": why, "finding": "not compared"})


def _found(test: TestResult, before: tuple[TestResult, ...]) -> TestResult:
    status = status_in(before, test)
    findings: Mapping[str, str] = {
        "passed": "new failure",
        "failed": "fails on both",
        "error": "fails on both",
    }
    if not test.failed:
        fixed = test.status == "passed" and status in ("failed", "error")
        return test.model_copy(update={"baseline": status, "finding": "fixed" if fixed else test.finding})
    known = {"baseline": status or "not seen there", "finding": findings.get(status, "not compared")}
    return test.model_copy(update=known)


def status_in(tests: tuple[TestResult, ...], wanted: TestResult) -> str:
    """Return what a test gave in another run, or an empty text.

    What is said of a suite as a whole, such as its exit code, is held against that whole run.
    """
    same = next((test.status for test in tests if test.name == wanted.name), "")
    if same or not _OF_THE_SUITE.fullmatch(wanted.name):
        return same
    if any(test.failed for test in tests):
        return "failed"
    return "passed" if any(test.status == "passed" for test in tests) else ""
