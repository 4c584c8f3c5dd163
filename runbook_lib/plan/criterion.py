"""Model what a plan calls good: criteria with bounds, comparisons by pairs, and how sure they must be."""

from __future__ import annotations

from pydantic import Field, model_validator

from runbook_lib.catalogue import METRICS
from runbook_lib.plan.section import Name, Seconds, Section


class BaselineBound(Section):
    """Candidate against baseline; exactly one of the two."""

    at_most_increase: float | None = None
    """Candidate less baseline, in the metric's unit."""
    at_most_ratio: float | None = Field(default=None, gt=0)
    """Candidate divided by baseline."""

    @model_validator(mode="after")
    def _one(self) -> BaselineBound:
        if (self.at_most_increase is None) == (self.at_most_ratio is None):
            raise ValueError("give either at_most_increase or at_most_ratio")
        return self


class HistoryBound(Section):
    """Starts of the candidate against the usual ones: the baseline's of this run and of earlier runs.

    A rank test at `judging.alpha`: more than the bound for sure is a FAIL. Too few starts to tell are no
    failure, but said; 2 of the candidate are enough against 14 in all, a single one against 99.
    """

    at_most_ratio: float = Field(gt=0)
    """How many times as long as usual a start may take."""


class Paired(Section):
    """Candidate against baseline, session by session, under load; for the metrics `pairs.…`.

    The load ends as soon as every such criterion is settled, or one that is critical has failed.
    """

    tolerance: float = Field(ge=0)
    """Worse than this for sure is a FAIL: a share (0 to 1) above the baseline's, or a ratio to its time.

    Of what may never happen, 0.
    """
    margin: float = Field(gt=0)
    """Better than this for sure is a PASS; in the same unit, and above the tolerance."""
    above_s: Seconds | None = None
    """Of a latency: compare the share of sessions that took longer than this."""
    weight: float = Field(default=1, gt=0)
    """Its part of `judging.alpha`, against the weights of the other paired criteria."""

    @model_validator(mode="after")
    def _room_between(self) -> Paired:
        if self.margin <= self.tolerance:
            raise ValueError("the margin must be above the tolerance")
        return self


class Judging(Section):
    """How sure the judge must be of what it finds by comparing pairs, however often it looks."""

    alpha: float = Field(default=0.01, gt=0, lt=0.5)
    """Chance of a wrong FAIL, at most, of all paired criteria together."""
    pass_alpha: float = Field(default=0.01, gt=0, lt=0.5)
    """Chance of a wrong PASS of a paired criterion whose candidate is as bad as its margin, at most."""


class Criterion(Section):
    """One thing that must hold."""

    id: Name
    title: str
    group: str = "functionality"
    metric: str
    at_most: float | None = None
    at_least: float | None = None
    baseline: BaselineBound | None = None
    """Bound relative to the baseline; holds in addition to the absolute one."""
    history: HistoryBound | None = None
    """Bound relative to the usual starts; holds in addition to the others. For `startup.latency_s`."""
    paired: Paired | None = None
    """Comparison by pairs, instead of bounds."""
    critical: bool = True
    """A failure means ROLLBACK; otherwise it means INVESTIGATE."""
    min_samples: int = Field(default=1, ge=1)
    """With fewer, a value within its bounds is INCONCLUSIVE."""
    failure_limit: int = Field(default=0, ge=0)
    """Attempts that the service may end without a value, at most."""
    must_have_data: bool = False
    """No data is a FAIL rather than INCONCLUSIVE."""

    @model_validator(mode="after")
    def _bounded(self) -> Criterion:
        bounds = (self.at_most, self.at_least, self.baseline)
        if bool(self.paired) == any(bound is not None for bound in bounds):
            raise ValueError("give at_most, at_least or baseline, or else paired")
        return self

    @model_validator(mode="after")
    def _judged_as_its_metric_is(self) -> Criterion:
        metric = METRICS.get(self.metric)
        kind = metric.paired if metric else ""
        if bool(self.paired) != bool(kind):
            raise ValueError(f"{self.metric} is judged by {'paired' if kind else 'bounds'}")
        if metric and metric.leak and (self.at_most is None or self.at_least is not None or self.baseline):
            raise ValueError(f"{self.metric} is judged by at_most alone: it is against the baseline as it is")
        if self.history and not (metric and metric.starts):
            raise ValueError(f"history is for startup.latency_s, not for {self.metric}")
        if self.paired and kind != "latency" and self.paired.above_s is not None:
            raise ValueError("paired.above_s is for latencies")
        if self.paired and kind == "zero" and self.paired.tolerance:
            raise ValueError(f"paired.tolerance of {self.metric} is 0: one session is a FAIL")
        if self.paired and kind == "latency" and self.paired.above_s is None and self.paired.tolerance < 1:
            raise ValueError("paired.tolerance of a latency is a ratio, 1 or more")
        return self
