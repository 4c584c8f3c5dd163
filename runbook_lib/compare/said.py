"""Compare what tests and logs said in two runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runbook_lib.compare.chance import chance_of_shares
from runbook_lib.compare.difference import ABSENT, Comparison, Difference
from runbook_lib.compare.judged import same_image
from runbook_lib.compare.measured import CONTROL
from runbook_lib.compare.past_run import PastRun
from runbook_lib.evidence import ROLES, Role
from runbook_lib.evidence.logs import SEVERE, LogsEvidence, LogTemplate
from runbook_lib.evidence.suites import SuiteResult

_CHANCE = {"passed", "flaky"}
"""A test that passed when it was run again on the same revision: so it may have passed at once."""
_VARIABLE = "<*>"


def tests(before: PastRun, after: PastRun) -> Iterator[Difference]:
    """Yield the tests of suites that both runs ran, where their status differs, or only one run has them."""
    ours, theirs = (_suites(run) for run in (before, after))
    for name in (name for name in ours if name in theirs):
        found = list(_of_suite(ours[name], theirs[name]))
        yield from found or _of_exit(ours[name], theirs[name])


def lines(before: PastRun, after: PastRun) -> Iterator[Comparison]:
    """Yield a comparison for each kind of log line and role: does the other run have it there too?

    How often a line comes follows the load, and each run says itself what grew against its baseline.
    """
    if not (before.logs and after.logs):
        return
    for role in ROLES:
        control = role == "baseline" and same_image(before, after, role)
        totals = [_total(run.logs, role) for run in (before, after) if run.logs]
        for template, ours, theirs in _matched(before.logs, after.logs, role):
            yield _of_lines(f"{role}: {template}", (ours, theirs), (totals[0], totals[1]), control=control)


def _suites(run: PastRun) -> dict[str, SuiteResult]:
    return {suite.id: suite for suite in run.suites.suites} if run.suites else {}


def _of_suite(ours: SuiteResult, theirs: SuiteResult) -> Iterator[Difference]:
    one, other = ({test.name: test.status for test in suite.tests} for suite in (ours, theirs))
    for name in dict.fromkeys((*one, *other)):
        was, now = one.get(name, ABSENT), other.get(name, ABSENT)
        if was != now:
            chance = {was, now} == _CHANCE
            why = "it passed when it was run again on the same revision" if chance else ""
            yield Difference(
                group="tests", what=f"{theirs.id}: {name}", before=was, after=now, why=why, counts=not chance
            )


def _of_exit(ours: SuiteResult, theirs: SuiteResult) -> Iterator[Difference]:
    one, other = (
        "ended at its time limit" if suite.timed_out else f"exit code {suite.exit_code}"
        for suite in (ours, theirs)
    )
    if one != other:
        yield Difference(group="tests", what=theirs.id, before=one, after=other)


def _of_lines(what: str, seen: tuple[int, int], totals: tuple[int, int], *, control: bool) -> Comparison:
    def compare(level: float) -> Difference | None:
        if all(seen) or not any(seen):
            return None
        chance = chance_of_shares(seen[0], totals[0], seen[1], totals[1])
        one, other = (f"{n:,} of {total:,} lines" for n, total in zip(seen, totals, strict=True))
        why = CONTROL if control else f"chance explains it with {chance:.2g}"
        return Difference(
            group="logs", what=what, before=one, after=other, why=why,
            counts=chance < level and not control,
        )  # fmt: skip

    return compare


def _matched(ours: LogsEvidence, theirs: LogsEvidence, role: Role) -> Iterator[tuple[str, int, int]]:
    """Yield each kind of line with its number in either run.

    What is variable in it may show in one of the runs alone: then `<*>` stands for the word of the other.
    """
    for mine in ours.templates:
        others = [each for each in theirs.templates if _same(mine, each)]
        yield mine.template, _count(mine, role), sum(_count(each, role) for each in others)
    for each in theirs.templates:
        if not any(_same(mine, each) for mine in ours.templates):
            yield each.template, 0, _count(each, role)


def _same(one: LogTemplate, other: LogTemplate) -> bool:
    if (one.severity in SEVERE) != (other.severity in SEVERE):
        return False
    return one.template == other.template or _covers(one, other) or _covers(other, one)


def _covers(wide: LogTemplate, narrow: LogTemplate) -> bool:
    if _VARIABLE not in wide.template:
        return False
    pattern = ".+".join(re.escape(part) for part in wide.template.split(_VARIABLE))
    return re.fullmatch(pattern, narrow.template) is not None


def _count(template: LogTemplate, role: Role) -> int:
    return template.candidate if role == "candidate" else template.baseline


def _total(logs: LogsEvidence, role: Role) -> int:
    return sum(_count(template, role) for template in logs.templates)
