"""Read what a test runner says happened, in JUnit's XML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from xml.parsers import expat

from junitparser import Error, Failure, JUnitXml, JUnitXmlError, Skipped, TestCase, TestSuite

from runbook_lib.evidence import TestResult, TestStatus
from runbook_lib.redact import redact

_DETAIL = 2000
_NAME = 500


def read_junit(file: Path, secrets: Sequence[str] = ()) -> tuple[TestResult, ...] | None:
    """Return the tests of a JUnit file in its order, redacted; None where there is no such file.

    A file that is broken gives one test of status `error` that says so.
    """
    if not file.is_file() or file.stat().st_size == 0:
        return None
    try:
        _refuse_document_type(file.read_bytes())
        xml = JUnitXml.fromfile(str(file))
        suites = [xml] if isinstance(xml, TestSuite) else list(xml)
        return tuple(_test(case, secrets) for suite in suites for case in suite)
    except (JUnitXmlError, SyntaxError, ValueError, LookupError, RecursionError, expat.ExpatError) as error:
        return (TestResult(name=file.name, status="error", duration_s=None, detail=f"broken JUnit: {error}"),)


def _refuse_document_type(content: bytes) -> None:
    """Refuse a file that declares entities, before a parser that may expand them sees it.

    Raises:
        ValueError: If it has a document type.
        expat.ExpatError: If it is not XML.
    """

    def refuse(*_: object) -> None:
        raise ValueError("it has a document type, which JUnit's XML never needs")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(content, True)


def _test(case: TestCase, secrets: Sequence[str]) -> TestResult:
    status, detail = _status(case)
    name = "::".join(part for part in (case.classname, case.name) if part) or "unnamed"
    time_s = case.time
    return TestResult(
        name=redact(name, secrets)[:_NAME],
        status=status,
        duration_s=time_s if time_s is not None and math.isfinite(time_s) else None,
        detail=redact(detail, secrets)[:_DETAIL],
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
