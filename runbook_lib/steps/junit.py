"""Read what a test runner says happened, in JUnit's XML."""

from __future__ import annotations

from pathlib import Path

from junitparser import Error, Failure, JUnitXml, JUnitXmlError, Skipped, TestCase, TestSuite

from runbook_lib.evidence import TestResult, TestStatus

_DETAIL = 2000


def read_junit(file: Path) -> tuple[TestResult, ...] | None:
    """Return the tests of a JUnit file in its order; None where there is no such file.

    A file that is broken gives one test of status `error` that says so.
    """
    if not file.is_file() or file.stat().st_size == 0:
        return None
    try:
        xml = JUnitXml.fromfile(str(file))
        suites = [xml] if isinstance(xml, TestSuite) else list(xml)
        return tuple(_test(case) for suite in suites for case in suite)
    except (JUnitXmlError, SyntaxError, ValueError, UnicodeDecodeError) as error:
        return (TestResult(name=file.name, status="error", duration_s=None, detail=f"broken JUnit: {error}"),)


def _test(case: TestCase) -> TestResult:
    status, detail = _status(case)
    return TestResult(
        name="::".join(part for part in (case.classname, case.name) if part) or "unnamed",
        status=status,
        duration_s=case.time,
        detail=detail[:_DETAIL],
    )


def _status(case: TestCase) -> tuple[TestStatus, str]:
    kinds: tuple[tuple[type, TestStatus], ...] = (
        (Error, "error"),
        (Failure, "failed"),
        (Skipped, "skipped"),
    )
    for kind, status in kinds:
        for result in case.result:
            if isinstance(result, kind):
                return status, "\n".join(part for part in (result.message, result.text) if part)
    return "passed", ""
