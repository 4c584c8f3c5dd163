"""Bundle what helps to understand a failed test: its output, and what the candidate logged in its time."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from runbook_lib.evidence import DeployEvidence
from runbook_lib.evidence.suites import SuiteResult, SuitesEvidence, TestResult, Trouble
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.ports.logs import LogQuery
from runbook_lib.redact import redact

FAILURES = "evidence/failures"
_MOST_BUNDLES = 20
_MOST_LINES = 100
_MOST_TRACES = 20
_LINE_CHARS = 500
_NAME_CHARS = 80


def with_trouble(
    plan: Plan,
    deployed: DeployEvidence,
    suites: tuple[SuiteResult, ...],
    ports: Ports,
    secrets: tuple[str, ...],
) -> tuple[SuiteResult, ...]:
    """Return the suites, each failed test (the first 20 of each suite) with the log lines of its time.

    Raises:
        CloudError: If the log cannot be read.
    """
    spans = [_span(suite, test) for suite in suites for test in _troubled(suite)]
    if not spans:
        return suites
    skew = timedelta(seconds=plan.logs.clock_skew_s)
    start, end = min(first for first, _ in spans) - skew, max(last for _, last in spans) + skew
    revision = deployed.candidate.name if deployed.candidate else ""
    lines = ports.logs.read(LogQuery(revision=revision, start=start, end=end, limit=plan.logs.max_entries))
    return tuple(_suite_with(suite, lines, skew, secrets) for suite in suites)


def trouble_files(evidence: SuitesEvidence) -> Mapping[str, str]:
    """Return the files of all bundles: their paths below the run folder, and their texts."""
    files = {}
    for suite in evidence.suites:
        for test in suite.tests:
            if test.trouble:
                files[f"{test.trouble.folder}/failure.txt"] = _failure_text(suite, test)
                files[f"{test.trouble.folder}/candidate.log"] = "".join(
                    f"{line}\n" for line in test.trouble.log
                )
                files[f"{test.trouble.folder}/traces.txt"] = "".join(f"{t}\n" for t in test.trouble.traces)
    return files


def _troubled(suite: SuiteResult) -> tuple[TestResult, ...]:
    return tuple(test for test in suite.tests if test.failed or test.status == "flaky")[:_MOST_BUNDLES]


def _span(suite: SuiteResult, test: TestResult) -> tuple[datetime, datetime]:
    """Return the test's time where it is known, else the suite's."""
    if test.start is None:
        return suite.window.start, suite.window.end
    end = suite.window.end if test.duration_s is None else test.start + timedelta(seconds=test.duration_s)
    return test.start, end


def _suite_with(
    suite: SuiteResult, lines: pd.DataFrame, skew: timedelta, secrets: tuple[str, ...]
) -> SuiteResult:
    troubled = _troubled(suite)
    tests = []
    for number, test in enumerate(suite.tests, 1):
        found = None
        if test in troubled:
            start, end = _span(suite, test)
            own = lines[lines["time"].between(start - skew, end + skew)]
            found = _trouble(f"{FAILURES}/{suite.id}-{_slug(test.name)}-{number}", own, secrets)
        tests.append(test.model_copy(update={"trouble": found}))
    return suite.model_copy(update={"tests": tuple(tests)})


def _trouble(folder: str, lines: pd.DataFrame, secrets: tuple[str, ...]) -> Trouble:
    shown = lines.tail(_MOST_LINES)
    traces = [str(trace) for trace in dict.fromkeys(lines["trace"]) if trace]
    return Trouble(
        folder=folder,
        log=tuple(redact(_line(row), secrets)[:_LINE_CHARS] for row in shown.to_dict("records")),
        traces=tuple(traces[:_MOST_TRACES]),
        log_left_out=len(lines) - len(shown),
    )


def _line(row: Mapping[Hashable, Any]) -> str:
    status = "" if pd.isna(row["status"]) else f" {row['status']}"
    return f"{row['time']:%H:%M:%S.%f} {row['severity']}{status} {row['message']}"


def _slug(name: str) -> str:
    """Return the end of a test's name as a folder's name that means nothing to any shell or file system."""
    own = name.rpartition("::")[2]
    return re.sub(r"[^A-Za-z0-9_]+", "-", own)[-_NAME_CHARS:].strip("-") or "test"


def _failure_text(suite: SuiteResult, test: TestResult) -> str:
    parts = [f"{suite.title}: {test.name}", f"{test.status} {test.finding}".strip(), test.detail, test.output]
    return "\n\n".join(part for part in parts if part) + "\n"
