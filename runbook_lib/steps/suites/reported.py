"""What every reader of test reports shares: names and texts are redacted and bounded, whoever wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from runbook_lib.evidence.suites import TestResult, TestStatus
from runbook_lib.redact import plain, redact

NAME_CHARS = 500
DETAIL_CHARS = 2_000
OUTPUT_CHARS = 4_000
RAW_CHARS = 12_000
"""A reader keeps so much of a text; what a secret's cut end could stand in is taken off after redaction."""
_MARGIN_CHARS = 4_000
_LONGEST_S = 1e7
_YEARS = range(2000, 3000)
"""Times beyond these are nobody's, and arithmetic with them fails."""
MOST_TESTS = 20_000
ENDED_IN_IT = "the runner ended while this test ran"


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How far a suite is. `total` is None where the runner has not said how many tests there are."""

    done: int = 0
    failed: int = 0
    total: int | None = None
    running: str = ""


class Reader(Protocol):
    """Reads a report line by line, as it is written."""

    def feed(self, line: str) -> None:
        """Take one line; lines of another format are passed over."""
        ...

    def tally(self) -> Tally:
        """Return how far the suite is."""
        ...

    def tests(self, secrets: Sequence[str] = ()) -> tuple[TestResult, ...] | None:
        """Return every test, redacted; None where no report of this format was seen."""
        ...


def a_test(
    name: str,
    status: TestStatus,
    duration_s: float | None,
    *,
    detail: str = "",
    output: str = "",
    start: datetime | None = None,
    secrets: Sequence[str] = (),
) -> TestResult:
    """Return a test as evidence: the beginning of its failure's text, the end of its output."""
    known = duration_s is not None and 0 <= duration_s <= _LONGEST_S
    return TestResult(
        name=redact(plain(name), secrets)[:NAME_CHARS] or "unnamed",
        status=status,
        duration_s=duration_s if known else None,
        detail=_shown(detail, secrets)[:DETAIL_CHARS],
        output=_shown(output, secrets)[-OUTPUT_CHARS:],
        start=start if start and start.year in _YEARS else None,
    )


def _shown(text: str, secrets: Sequence[str]) -> str:
    """Return `text` redacted, without the ends at which a reader may have cut a secret in two."""
    shown = redact(plain(text), secrets)
    return shown if len(text) < RAW_CHARS else shown[_MARGIN_CHARS:-_MARGIN_CHARS]
