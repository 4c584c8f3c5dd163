"""Find what changed from one run to another, and set aside what chance explains."""

from __future__ import annotations

from runbook_lib.compare import judged, measured, said
from runbook_lib.compare.difference import Comparison, Diff, Difference
from runbook_lib.compare.past_run import PastRun
from runbook_lib.compare.plans import changed_fields, field_of
from runbook_lib.plan.criterion import Judging

_ORDER = ("plan", "versions", "revisions", "verdict", "criteria", "regressions", "tests", "values",
          "latencies", "logs")  # fmt: skip


def diff(before: PastRun, after: PastRun) -> Diff:
    """Compare two runs.

    What was asked, by what and of what is compared exactly. Numbers are compared by tests that share the
    plans' own `judging.alpha` (the smaller one), so that it is the chance of any false alarm among them.
    """
    alpha = min(_alpha(run) for run in (before, after))
    found = [*_exactly(before, after), *_by_chance(before, after, alpha)]
    found.sort(key=lambda difference: _ORDER.index(difference.group))
    return Diff(
        before=before.run_id,
        after=after.run_id,
        changes=tuple(each for each in found if each.counts),
        within_noise=tuple(each for each in found if not each.counts),
        alpha=alpha,
    )


def _exactly(before: PastRun, after: PastRun) -> list[Difference]:
    outcomes = [*judged.outcomes(before, after), *judged.regressions(before, after)]
    explained = not any(each.counts for each in outcomes)
    return [
        *changed_fields(before.plan, after.plan),
        *judged.versions(before, after),
        *judged.revisions(before, after),
        *judged.verdicts(before, after, explained=explained),
        *outcomes,
        *said.tests(before, after),
    ]


def _by_chance(before: PastRun, after: PastRun, alpha: float) -> list[Difference]:
    comparisons: list[Comparison] = [
        *measured.values(before, after),
        *measured.latencies(before, after),
        *said.lines(before, after),
    ]
    level = alpha / max(1, len(comparisons))  # Bonferroni: whatever depends on whatever
    effects = measured.effects(before, after)  # the judge has already given each its share
    return [found for compare in (*comparisons, *effects) if (found := compare(level))]


def _alpha(run: PastRun) -> float:
    planned = field_of(run.plan, "judging", "alpha")
    return planned if isinstance(planned, float) else Judging().alpha
