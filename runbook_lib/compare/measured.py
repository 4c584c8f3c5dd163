"""Compare what was measured in two runs: counts, shares, effects, latencies; tell chance from change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from runbook_lib.catalogue import describe
from runbook_lib.compare.chance import Interval, chance_of_shares, quantile_interval
from runbook_lib.compare.difference import Comparison, Difference
from runbook_lib.compare.judged import same_image
from runbook_lib.compare.past_run import PastRun
from runbook_lib.evidence import Measurement
from runbook_lib.report import text
from runbook_lib.verdict import CriterionResult

CONTROL = "the same image in both runs: the machine, the load or chance made it"
_ALONE = "a single value, without an interval"
_COLUMNS = {"connect_s": "connection", "answer_s": "answer"}
_QUANTILES = {"median": 0.5, "95th percentile": 0.95, "99th percentile": 0.99}
_COVERED = ("suite.", "pairs.")
"""Metrics that are compared test by test, and by their effects."""

Floats = NDArray[np.float64]


def values(before: PastRun, after: PastRun) -> Iterator[Comparison]:
    """Yield a comparison for each metric and role that both runs measured."""
    control = same_image(before, after, "baseline")
    for key, ours in before.measurements.items():
        theirs = after.measurements.get(key)
        if theirs and not ours.metric.startswith(_COVERED):
            yield _of_values(ours, theirs, control=control and ours.role == "baseline")


def effects(before: PastRun, after: PastRun) -> Iterator[Comparison]:
    """Yield a comparison for each criterion of which the judge gave an interval in both runs."""
    for name, ours in before.criteria.items():
        theirs = after.criteria.get(name)
        if theirs and ours.interval and theirs.interval:
            yield _of_effects(ours, theirs)


def latencies(before: PastRun, after: PastRun) -> Iterator[Comparison]:
    """Yield a comparison for each latency and quantile, each run's candidate held against its own baseline.

    Two runs meet a machine in two moods: so the seconds themselves prove nothing. The sessions of both
    revisions took turns, so what the machine did, it did to both, and their ratio is the candidate's own.
    """
    for column, name in _COLUMNS.items():
        sides = [
            (run.latencies("candidate", column), run.latencies("baseline", column)) for run in (before, after)
        ]
        if all(len(candidate) for candidate, _ in sides):
            for title, quantile in _QUANTILES.items():
                yield _of_quantiles(f"{name}, {title}", sides[0], sides[1], quantile)


def _of_values(ours: Measurement, theirs: Measurement, *, control: bool) -> Comparison:
    def compare(level: float) -> Difference | None:
        if ours.value == theirs.value and (ours.value is None or not _hits(ours)):
            return None
        one, other = (f"{text.measured(m)} of {m.samples:,}" for m in (ours, theirs))
        if one == other:
            return None
        chance = _chance(ours, theirs)
        counts = chance is not None and chance < level and not control
        why = CONTROL if control else _ALONE if chance is None else f"chance explains it with {chance:.2g}"
        return Difference(
            group="values", what=f"{ours.metric} of the {ours.role}", before=one, after=other, why=why,
            counts=counts,
        )  # fmt: skip

    return compare


def _of_effects(ours: CriterionResult, theirs: CriterionResult) -> Comparison:
    def compare(_: float) -> Difference | None:
        one, other = text.effect(ours), text.effect(theirs)
        if one == other or ours.interval is None or theirs.interval is None:
            return None
        intervals = [Interval(low=low, high=high) for low, high in (ours.interval, theirs.interval)]
        counts = intervals[0].apart_from(intervals[1])
        why = "the judge's intervals have no value in common" if counts else "the judge's intervals overlap"
        return Difference(
            group="values", what=f"effect of {theirs.id}", before=one, after=other, why=why, counts=counts
        )

    return compare


def _of_quantiles(
    what: str, ours: tuple[Floats, Floats], theirs: tuple[Floats, Floats], quantile: float
) -> Comparison:
    def compare(level: float) -> Difference | None:
        if all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True)):
            return None
        words = [_latency_words(side, quantile) for side in (ours, theirs)]
        if not (len(ours[1]) and len(theirs[1])):
            why, counts = "there is no baseline beside it that shows what the machine did", False
        else:
            # Four ends of two quantiles on either side share the chance.
            ratios = [_ratio(side, quantile, level / 8) for side in (ours, theirs)]
            counts = ratios[0].apart_from(ratios[1])
            spans = ", then ".join(f"× {ratio.low:.2f} to × {ratio.high:.2f}" for ratio in ratios)
            why = f"of the baseline's: {spans}, which {'have no value in common' if counts else 'overlap'}"
        return Difference(
            group="latencies", what=what, before=words[0], after=words[1], why=why, counts=counts
        )

    return compare


def _ratio(side: tuple[Floats, Floats], quantile: float, level: float) -> Interval:
    candidate, baseline = (quantile_interval(values, quantile, level) for values in side)
    return candidate.over(baseline)


def _latency_words(side: tuple[Floats, Floats], quantile: float) -> str:
    candidate, baseline = (
        float(np.quantile(values, quantile, method="lower")) if len(values) else np.nan for values in side
    )
    shown = text.milliseconds(candidate) if np.isfinite(candidate) else "never"
    return f"{shown} (× {candidate / baseline:.2f})" if np.isfinite((candidate, baseline)).all() else shown


def _chance(ours: Measurement, theirs: Measurement) -> float | None:
    hits = _hits(ours), _hits(theirs)
    if hits[0] is None or hits[1] is None or not (ours.samples and theirs.samples):
        return None
    return chance_of_shares(hits[0], ours.samples, hits[1], theirs.samples)


def _hits(measured: Measurement) -> int | None:
    """Return how many samples were bad, or None where the metric does not count them."""
    if measured.value is None:
        return None
    if measured.unit == "ratio":
        return round(measured.value * measured.samples)
    return round(measured.value) if describe(measured.metric).counts else None
