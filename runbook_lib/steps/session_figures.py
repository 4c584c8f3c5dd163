"""Take from each session under load what the measurements need, so that none is held; judges nothing."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from runbook_lib.catalogue import describe
from runbook_lib.evidence import Leak, Measurement, Role, Session, Window
from runbook_lib.evidence.load_figures import LAG_SHARE
from runbook_lib.steps.isolation import sentence
from runbook_lib.steps.measuring import measurement
from runbook_lib.steps.pairing import session_value

LOAD_FILES = ("evidence/metrics.json", "evidence/load_sessions.parquet")
_UNMADE = "no session was made"


class SessionFigures:
    """The figures of one revision's sessions; a median takes 8 bytes a session, all else nothing.

    Attributes:
        count: Sessions that were made.
        ended_s: When each of them ended, in seconds since the load began.
    """

    def __init__(self, role: Role, metrics: Iterable[str] = ()) -> None:
        """Begin with none; `metrics` are those whose values are compared by pairs."""
        self._role, self.count = role, 0
        self._connect, self._answer, self._failures = _Slowest(), _Slowest(), _Failures()
        self._values = {metric: _middle_of(metric) for metric in metrics}
        self._added = tuple((session_value(metric), middle) for metric, middle in self._values.items())
        self.answers_s, self.lags_s, self.ended_s = array("d"), array("d"), array("d")

    def add(self, session: Session, after_s: float = 0.0) -> None:
        """Count a session whose time began `after_s` after the load's."""
        self.count += 1
        self._failures.add(session)
        self._connect.add(session, session.connect_s)
        if session.connect_s is not None:
            self._answer.add(session, session.answer_s)
        if session.answer_s is not None:
            self.answers_s.append(session.answer_s)
        self.lags_s.append(session.lag_s)
        start_s = session.intended_s + after_s
        self.ended_s.append(start_s + (session.connect_s or 0.0) + (session.answer_s or 0.0))
        for value, middle in self._added:
            middle.add(value(session))

    def measurements(self, window: Window, due: int) -> Iterator[Measurement]:
        """Yield the slowest sessions and the failures, of `due` sessions that were meant to be made."""
        missing = due - self.count
        yield self._connect.measurement("load.connect_max_s", self._role, window, missing)
        yield self._answer.measurement("load.answer_max_s", self._role, window, missing)
        yield self._failures.measurement(self._role, window, self.count, missing)

    def middles(self, window: Window, leaked: list[Leak]) -> Iterator[Measurement]:
        """Yield what the paired criteria compare, as one figure: a share, or a median."""
        for metric, values in self._values.items():
            middle = values.middle()
            known = values.seen > 0 and math.isfinite(middle)
            note = sentence(leaked[0]) if metric == "pairs.leaks" and leaked else ""
            if not known:
                note = "more than half of the sessions gave no value" if values.seen else _UNMADE
            yield measurement(
                metric, self._role, window, middle if known else None, values.known if known else 0,
                note=note, evidence=(*LOAD_FILES, "evidence/pairs.json"),
            )  # fmt: skip


def in_time(figures: Iterable[SessionFigures]) -> bool:
    """Say whether the client's own lag is small against the latencies: its p99 ≤ 5 % of the median answer."""
    every = list(figures)
    answers = pd.Series(np.concatenate([each.answers_s for each in every]))
    lags = pd.Series(np.concatenate([each.lags_s for each in every]))
    return answers.empty or bool(lags.quantile(0.99) <= LAG_SHARE * answers.median())


class _Slowest:
    """The slowest of one time of the sessions; one without it was ended by the service."""

    def __init__(self) -> None:
        self._known = self._lost = 0
        self._value_s, self._lag_s = -math.inf, -math.inf
        self._proven_s = -math.inf  # A session that began late proves nothing; without its lag it does.
        self._number, self._first_lost = 0, ""

    def add(self, session: Session, seconds: float | None) -> None:
        if session.lag_s > self._lag_s:
            self._lag_s = session.lag_s
        if seconds is None:
            self._lost += 1
            self._first_lost = self._first_lost or _words(session)
            return
        self._known += 1
        if seconds - session.lag_s > self._proven_s:
            self._proven_s = seconds - session.lag_s
        if seconds > self._value_s:
            self._value_s, self._number = seconds, session.number

    def measurement(self, metric: str, role: Role, window: Window, missing: int) -> Measurement:
        return measurement(
            metric, role, window, self._value_s, self._known, failed=self._lost, missing=missing,
            own=max(0.0, self._value_s - self._proven_s) if self._known else 0, note=self._note(),
            evidence=LOAD_FILES,
        )  # fmt: skip

    def _note(self) -> str:
        if self._first_lost:
            return self._first_lost
        late = f"session {self._number}; the client itself was at most {1000 * self._lag_s:.0f} ms late"
        return late if self._known else _UNMADE


class _Failures:
    """Sessions without an answer."""

    def __init__(self) -> None:
        self._count, self._first = 0, ""

    def add(self, session: Session) -> None:
        if session.status != "answered":
            self._count += 1
            self._first = self._first or _words(session)

    def measurement(self, role: Role, window: Window, made: int, missing: int) -> Measurement:
        return measurement(
            "load.failures", role, window, float(self._count), made, missing=missing,
            note=self._first or ("" if made else _UNMADE), evidence=LOAD_FILES,
        )  # fmt: skip


class _Share:
    """The mean of flags. `seen` are all sessions, `known` those that showed it."""

    def __init__(self) -> None:
        self.seen = self.known = 0
        self._sum = 0.0

    def add(self, value: float | None) -> None:
        self.seen += 1
        if value is not None:
            self.known += 1
            self._sum += value

    def middle(self) -> float:
        return self._sum / self.known if self.known else math.nan


class _Median:
    """The median of times; those that never came are infinite."""

    def __init__(self) -> None:
        self._values = array("d")
        self.seen = 0

    @property
    def known(self) -> int:
        return len(self._values)

    def add(self, value: float | None) -> None:
        self.seen += 1
        if value is not None:
            self._values.append(value)

    def middle(self) -> float:
        return float(pd.Series(np.asarray(self._values)).median())


def _middle_of(metric: str) -> _Share | _Median:
    return _Median() if describe(metric).paired == "latency" else _Share()


def _words(session: Session) -> str:
    return f"session {session.number}: {session.status} {session.detail}".strip()
