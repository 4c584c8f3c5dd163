"""Count the sessions of a load while they are made, in a form that shards can send and that merges."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce

from hdrh.histogram import HdrHistogram

from runbook_lib.evidence import ROLES, Role, Session

LAG_SHARE = 0.05
"""A load is invalid where the 99th percentile of its own lag exceeds this share of the median latency."""
_LONGEST_US = 3_600_000_000
_DIGITS = 3


def histogram(encoded: str = "") -> HdrHistogram:
    """Return a histogram of microseconds, up to an hour, three digits exact; empty, or what `encoded` holds.

    Source: HdrHistogram, https://hdrhistogram.org (base64 of its compressed V2 encoding).
    """
    return HdrHistogram.decode(encoded) if encoded else HdrHistogram(1, _LONGEST_US, _DIGITS)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What was counted of one revision's sessions.

    Attributes:
        started: Sessions that were begun.
        ended: Sessions that have ended, well or not.
        failed: Sessions that ended without an answer.
        total: Times from the intended start to the final event, as `histogram` encodes them.
        lag: How late the client itself was, likewise.
    """

    started: int = 0
    ended: int = 0
    failed: int = 0
    total: str = ""
    lag: str = ""

    def merged(self, other: Tally) -> Tally:
        """Return both together."""
        return Tally(
            started=self.started + other.started,
            ended=self.ended + other.ended,
            failed=self.failed + other.failed,
            total=_merged(self.total, other.total),
            lag=_merged(self.lag, other.lag),
        )


Tallies = Mapping[Role, Tally]
LoadWatch = Callable[[Tallies], None]
"""Told every half second what was counted since the load began."""


def merge(one: Tallies, other: Tallies) -> Tallies:
    """Return both together, role by role; the order does not matter."""
    return {
        role: one.get(role, Tally()).merged(other.get(role, Tally()))
        for role in ROLES
        if role in one or role in other
    }


def merged(shares: Iterable[Tallies]) -> Tallies:
    """Return all shares together."""
    return reduce(merge, shares, {})


def _merged(one: str, other: str) -> str:
    if not (one and other):
        return one or other
    both = histogram(one)
    both.add(histogram(other))
    return str(both.encode().decode())


class Counting:
    """Counts one revision's sessions as they start and end."""

    def __init__(self) -> None:
        self._started, self._ended, self._failed = 0, 0, 0
        self._total, self._lag = histogram(), histogram()

    def started(self) -> None:
        """Count a session that begins."""
        self._started += 1

    def ended(self, session: Session) -> None:
        """Count a session that has ended."""
        self._ended += 1
        self._lag.record_value(max(1, int(session.lag_s * 1e6)))
        if session.status != "answered" or session.connect_s is None or session.answer_s is None:
            self._failed += 1
        else:
            self._total.record_value(max(1, int((session.connect_s + session.answer_s) * 1e6)))

    def tally(self) -> Tally:
        """Return what was counted so far."""
        return Tally(
            started=self._started, ended=self._ended, failed=self._failed,
            total=self._total.encode().decode(), lag=self._lag.encode().decode(),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The load on one revision, or on both together, as a reader wants it.

    Attributes:
        started, ended, failed: Sessions; those between `started` and `ended` are open.
        p50_s, p95_s, p99_s: Percentiles from the intended start to the final event; None without an answer.
        lag_p99_s: The same percentile of the client's own lag.
    """

    started: int
    ended: int
    failed: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    lag_p99_s: float | None

    @classmethod
    def of(cls, tally: Tally) -> Figures:
        """Read the percentiles out of a tally."""
        total, lag = histogram(tally.total), histogram(tally.lag)
        p50_s, p95_s, p99_s = (_percentile_s(total, percent) for percent in (50, 95, 99))
        return cls(
            started=tally.started, ended=tally.ended, failed=tally.failed,
            p50_s=p50_s, p95_s=p95_s, p99_s=p99_s, lag_p99_s=_percentile_s(lag, 99),
        )  # fmt: skip

    @property
    def open(self) -> int:
        """Sessions that were begun and have not ended."""
        return self.started - self.ended

    @property
    def valid(self) -> bool:
        """Whether the client's own lag is small against the latencies."""
        return not self.p50_s or (self.lag_p99_s or 0) <= LAG_SHARE * self.p50_s


@dataclass(frozen=True, kw_only=True)
class LoadProgress:
    """How far a load is.

    Attributes:
        due: Sessions that it makes at most, on all revisions.
        elapsed_s: Since it began.
        roles: Figures of each revision.
        overall: Of all together.
    """

    due: int
    elapsed_s: float
    roles: Mapping[Role, Figures] = field(default_factory=dict)
    overall: Figures

    @classmethod
    def of(cls, tallies: Tallies, *, due: int, elapsed_s: float) -> LoadProgress:
        """Return the progress that the tallies tell of."""
        overall = Tally()
        for tally in tallies.values():
            overall = overall.merged(tally)
        roles = {role: Figures.of(tally) for role, tally in tallies.items()}
        return cls(due=due, elapsed_s=elapsed_s, roles=roles, overall=Figures.of(overall))

    def sentence(self) -> str:
        """Say it in one line."""
        all_ = self.overall
        parts = [f"{all_.ended} of {self.due} sessions, {all_.open} open, {all_.failed} failed"]
        if all_.p50_s is not None:
            times = ((50, all_.p50_s), (95, all_.p95_s), (99, all_.p99_s))
            parts.append(", ".join(f"p{percent} {_time(seconds)}" for percent, seconds in times))
        if all_.lag_p99_s is not None:
            parts.append(f"own lag p99 {_time(all_.lag_p99_s)}" + ("" if all_.valid else ": too much"))
        return " · ".join(parts)


def _percentile_s(counted: HdrHistogram, percent: float) -> float | None:
    return counted.get_value_at_percentile(percent) / 1e6 if counted.get_total_count() else None


def _time(seconds: float | None) -> str:
    if seconds is None or not math.isfinite(seconds):
        return "–"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
