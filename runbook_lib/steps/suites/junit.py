"""Read what a test runner says happened, in JUnit's XML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.parsers import expat

from junitparser import Error, Failure, JUnitXml, JUnitXmlError, Skipped, TestCase, TestSuite
from junitparser.xunit2 import FlakyError, FlakyFailure

from runbook_lib.evidence.suites import TestResult, TestStatus
from runbook_lib.steps.suites.reported import MOST_TESTS, a_test

_LARGEST_BYTES = 32_000_000
_KINDS: tuple[tuple[type, TestStatus], ...] = (
    (Error, "error"),
    (Failure, "failed"),
    (Skipped, "skipped"),
)
_FLAKY: tuple[type, ...] = (FlakyFailure, FlakyError)


def read_junit(file: Path, secrets: Sequence[str] = ()) -> tuple[TestResult, ...] | None:
    """Return the tests of a JUnit file in its order, redacted; None where there is no such file.

    A file that is broken gives one test of status `error` that says so; one that counts more failures than it
    shows gives one more.
    """
    if not file.is_file() or file.stat().st_size == 0:
        return None
    try:
        _refuse_what_may_harm(file)
        xml = JUnitXml.fromfile(str(file))
        suites = [xml] if isinstance(xml, TestSuite) else list(xml)
        return tuple(test for suite in suites for test in _tests(suite, secrets))[:MOST_TESTS]
    except (JUnitXmlError, SyntaxError, ValueError, LookupError, RecursionError, expat.ExpatError) as error:
        return (a_test(file.name, "error", None, detail=f"broken JUnit: {error}", secrets=secrets),)


def _refuse_what_may_harm(file: Path) -> None:
    """Refuse a file that is too large, or declares entities, before a parser that may expand them sees it.

    Raises:
        ValueError: If it is too large or has a document type.
        expat.ExpatError: If it is not XML.
    """

    def refuse(*_: object) -> None:
        raise ValueError("it has a document type, which JUnit's XML never needs")

    if file.stat().st_size > _LARGEST_BYTES:
        raise ValueError(f"it is larger than {_LARGEST_BYTES // 1_000_000} MB")
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(file.read_bytes(), True)


def _tests(suite: TestSuite, secrets: Sequence[str]) -> Iterator[TestResult]:
    cases = list(suite)
    yield from (_test(case, secrets) for case in cases)
    counted = (suite.failures or 0) + (suite.errors or 0)
    shown = sum(isinstance(result, Failure | Error) for case in cases for result in case.result)
    if counted > shown:
        text = f"the report counts {counted} failures and shows {shown}"
        yield a_test(suite.name or "report", "error", None, detail=text, secrets=secrets)


def _test(case: TestCase, secrets: Sequence[str]) -> TestResult:
    status, detail = _status(case)
    return a_test(
        "::".join(part for part in (case.classname, case.name) if part),
        status,
        case.time,
        detail=detail,
        output="\n".join(part for part in (case.system_out, case.system_err) if part),
        secrets=secrets,
    )


def _status(case: TestCase) -> tuple[TestStatus, str]:
    """Return what a test did; a runner that repeats tests by itself, as Maven's does, tells flaky ones."""
    for kind in _FLAKY:
        for found in case.iterchildren(kind):  # type: ignore[no-untyped-call]
            return "flaky", str(found.message or "")
    for kind, status in _KINDS:
        for result in case.result:
            if isinstance(result, kind):
                expected = status == "skipped" and result.type == "pytest.xfail"
                text = "\n".join(part for part in (result.message, result.text) if part)
                return "xfailed" if expected else status, text
    return "passed", ""
