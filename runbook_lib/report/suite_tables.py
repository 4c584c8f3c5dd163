"""Turn what the suites gave into tables of words: what failed before and after, and what was seen then."""

from __future__ import annotations

import pandas as pd

from runbook_lib.evidence.suites import SuitesEvidence, TestResult
from runbook_lib.report import text
from runbook_lib.report.record import RunRecord


def compared(record: RunRecord) -> pd.DataFrame:
    """Return one row per test that failed on either revision: its status before (baseline) and after."""
    suites = record.suites.suites if record.suites else ()
    rows = [
        (suite.title or suite.id, test.name, test.baseline or "not run", test.status, test.finding)
        for suite in suites
        for test in suite.tests
        if test.finding
    ]
    columns = ["Suite", "Test", "Before", "After", "Finding"]
    return pd.DataFrame([[text.clean(cell) for cell in row] for row in rows], columns=columns)


def finding(test: TestResult) -> str:
    """Return what a test's runs say together, e.g. `flaky (2 runs)`; empty for one that simply ran once."""
    runs = f"{test.attempts} runs" if test.attempts > 1 else ""
    before = f"baseline {test.baseline}" if test.baseline else ""
    more = ", ".join(part for part in (runs, before) if part)
    return f"{test.finding} ({more})".strip() if more else test.finding


def ran(suites: SuitesEvidence) -> str:
    """Return how many tests ran, in a sentence."""
    tests = [test for suite in suites.suites for test in suite.tests]
    failed = sum(test.failed for test in tests)
    return f"{len(tests)} tests in {len(suites.suites)} suites ran, {failed} failed"


def hints(record: RunRecord) -> tuple[str, ...]:
    """Return where to read about each test that has trouble."""
    suites = record.suites.suites if record.suites else ()
    return tuple(
        f"{test.name} {finding(test) or test.status}: see {test.trouble.folder}"
        for suite in suites
        for test in suite.tests
        if test.trouble
    )
