"""Read the Test Anything Protocol (versions 12 to 14, with subtests) as a suite prints it.

Source: https://testanything.org/tap-version-14-specification.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from runbook_lib.evidence.suites import TestResult, TestStatus
from runbook_lib.steps.suites.reported import DETAIL_CHARS, MOST_TESTS, Tally, a_test

_VERSION = re.compile(r"TAP version \d+\s*$")
_PLAN = re.compile(r"1\.\.(?P<count>\d{1,9})\s*(?:#\s*(?P<reason>.*))?$")
_POINT = re.compile(r"(?P<not>not )?ok(?:\s+(?P<number>\d{1,9}))?(?:\s+(?P<rest>.*))?$")
_DIRECTIVE = re.compile(r"(?:^|\s)#\s*(?P<kind>todo|skip)\w*:?(?:\s+(?P<reason>.*))?$", re.IGNORECASE)
_DURATION = re.compile(r"duration_ms:\s*(?P<ms>\d{1,12}(?:\.\d{1,12})?)\s*$")


@dataclass(kw_only=True)
class _Point:
    """One line `ok` or `not ok`, with what was said below it."""

    name: str
    status: TestStatus
    level: int
    number: int | None
    text: str = ""
    duration_s: float | None = None
    children: list[_Point] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return self.status in ("failed", "error")


class TapReader:
    """Implements `reported.Reader`. Of a test with subtests the subtests are told, under its name."""

    def __init__(self) -> None:
        self._declared = self._in_block = False
        self._planned: int | None = None
        self._skip_all = self._bail = ""
        self._points: list[_Point] = []
        self._last: _Point | None = None
        self._count = self._failed = 0

    def feed(self, line: str) -> None:
        """Take one line of the suite's output."""
        text = line.strip()
        level = len(line) - len(line.lstrip(" "))
        if self._last and self._in_block and (level > self._last.level or not text):
            self._describe(self._last, text)
            self._in_block = text != "..."
            return
        self._in_block = (
            bool(self._last) and text == "---" and level > (self._last.level if self._last else 0)
        )
        if not self._in_block and not (level == 0 and self._top(text)):
            self._any(text, level)

    def tally(self) -> Tally:
        """Return how many test points have come."""
        return Tally(done=self._count, failed=self._failed, total=self._planned)

    def tests(self, secrets: Sequence[str] = ()) -> tuple[TestResult, ...] | None:
        """Return the tests, and an error where the stream does not keep its plan; None if it is no TAP."""
        if not (
            self._declared or self._planned is not None or [p.number for p in self._points[:2]] == [1, 2]
        ):
            return None
        told = [
            a_test(name, p.status, p.duration_s, detail=p.text, secrets=secrets)
            for name, p in _leaves(self._points)
        ]
        return (*told, *(a_test(name, status, None, detail=why, secrets=secrets)
                         for name, status, why in self._complaints()))  # fmt: skip

    def _top(self, text: str) -> bool:
        """Take a line that only the stream itself may have, and say whether it was one."""
        if _VERSION.match(text):
            self._declared = True
        elif plan := _PLAN.match(text):
            self._planned = int(plan["count"])
            self._skip_all = plan["reason"] or "" if not self._planned else ""
        elif text.startswith("Bail out!"):
            self._bail, self._declared = text, True
        else:
            return False
        return True

    def _any(self, text: str, level: int) -> None:
        point = _POINT.match(text)
        if point and self._count < MOST_TESTS:
            self._add(point, level)
        elif text.startswith("#") and self._last and not text.startswith("# Subtest"):
            self._describe(self._last, text[1:].strip())

    def _add(self, line: re.Match[str], level: int) -> None:
        rest = line["rest"] or ""
        directive = _DIRECTIVE.search(rest)
        name = re.sub(r"\\([\\#])", r"\1", rest[: directive.start()] if directive else rest).strip(" -")
        number = int(line["number"]) if line["number"] else None
        point = _Point(
            name=name or f"test {number or self._count + 1}", status=_status(bool(line["not"]), directive),
            level=level, number=number, text=(directive["reason"] or "") if directive else "",
        )  # fmt: skip
        while self._points and self._points[-1].level > level:
            point.children.insert(0, self._points.pop())
        self._points.append(point)
        self._last = point
        self._count += 1
        self._failed += point.failed

    @staticmethod
    def _describe(point: _Point, text: str) -> None:
        if duration := _DURATION.match(text):
            point.duration_s = float(duration["ms"]) / 1000
        elif text not in ("---", "...") and len(point.text) < DETAIL_CHARS:
            point.text = f"{point.text}\n{text}".strip()

    def _complaints(self) -> list[tuple[str, TestStatus, str]]:
        """Return what the stream itself tells beside its points."""
        told: list[tuple[str, TestStatus, str]] = []
        came = sum(point.level == 0 for point in self._points)
        if self._bail:
            told.append(("bail out", "error", self._bail))
        elif self._planned is None:
            told.append(("plan", "error", "TAP without a plan (1..N): it may have been cut off"))
        elif self._planned != came:
            told.append(("plan", "error", f"{self._planned} tests were planned, {came} came"))
        elif self._skip_all:
            told.append(("the whole suite", "skipped", self._skip_all))
        return told


def _status(not_ok: bool, directive: re.Match[str] | None) -> TestStatus:
    kind = directive["kind"].lower() if directive else ""
    if kind == "skip":
        return "skipped"
    if kind == "todo":
        return "xfailed" if not_ok else "xpassed"
    return "failed" if not_ok else "passed"


def _leaves(points: Sequence[_Point], above: str = "") -> list[tuple[str, _Point]]:
    """Return points without subtests under their full names, and parents whose failure no subtest tells."""
    told = []
    for point in points:
        name = f"{above}{point.name}"
        below = _leaves(point.children, f"{name} > ")
        explained = bool(below) and (not point.failed or any(child.failed for _, child in below))
        told += below if explained else [*below, (name, point)]
    return told
