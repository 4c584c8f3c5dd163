"""Load both revisions with sessions and read what Cloud Monitoring says of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from runbook_lib.catalogue import describe
from runbook_lib.evidence import (
    DeployEvidence,
    Leak,
    Measurement,
    MetricsEvidence,
    RevisionState,
    Role,
    Session,
    Window,
)
from runbook_lib.evidence.load_figures import LAG_SHARE
from runbook_lib.evidence.memory import MemoryWatch
from runbook_lib.evidence.pairs import PairCounts
from runbook_lib.evidence.starts import Starts
from runbook_lib.plan import Plan
from runbook_lib.ports import MetricType, Ports
from runbook_lib.steps.isolation import leaks, sentence
from runbook_lib.steps.loading import Enough, Loaded, Show, load
from runbook_lib.steps.measuring import measurement
from runbook_lib.steps.pairing import session_value
from runbook_lib.steps.starting import seen_starts
from runbook_lib.steps.watching import watch_memory

_LOAD = ("evidence/metrics.json", "evidence/load_sessions.parquet")
_SERIES = ("evidence/metrics.json", "evidence/series.parquet")
_LEAKS_KEPT = 40
_SERIES_COLUMNS = ["time", "role", "metric", "value", "count", "label", "unit"]


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """A series as the cloud calls it, and as the evidence does. Memory is turned from a ratio into MiB."""

    metric: MetricType
    name: str
    unit: str


_WANTED = (
    _Wanted(metric="request_count", name="requests", unit="requests"),
    _Wanted(metric="request_latencies", name="request latency", unit="ms"),
    _Wanted(metric="container/memory/utilizations", name="memory", unit="MiB"),
    _Wanted(metric="container/startup_latencies", name="startup", unit="ms"),
)


@dataclass(frozen=True, kw_only=True)
class MetricsObservation:
    """The step's evidence, its pairs by criterion, both revisions' memory, starts, sessions and series.

    `series` has one row per point: `time` (UTC), `role`, `metric`, `value`, `count`, `label`, `unit`.
    """

    evidence: MetricsEvidence
    pairs: dict[str, PairCounts]
    memory: MemoryWatch
    starts: Starts
    sessions: tuple[Session, ...]
    series: pd.DataFrame


def measure(
    plan: Plan,
    deployed: DeployEvidence,
    ports: Ports,
    enough: Enough = lambda _: False,
    show: Show = lambda _: None,
) -> MetricsObservation:
    """Stay quiet, load, stay quiet again, then read the series.

    Args:
        plan: What to load, and how to compare.
        deployed: What was deployed.
        ports: The world.
        enough: Asked after each wave of looks; True ends the load before the budget is spent.
        show: Told twice a second how the load goes.

    Raises:
        CloudError: If Cloud Monitoring does not answer.
        RunRefused: If the plan does not allow to load the service's host.
    """
    start = ports.clock.now()
    urls = _urls(deployed)
    ports.clock.sleep(plan.metrics.idle_s if urls else 0)
    loaded = load(plan, urls, ports, enough, show)
    ports.clock.sleep(max(plan.metrics.idle_s, plan.metrics.settle_s) if urls else 0)
    window = Window(start=start, end=ports.clock.now())
    series = _series(deployed, window, ports)
    valid, leaked = _valid(loaded.sessions), leaks(loaded.sessions)
    evidence = MetricsEvidence(
        window=window,
        notes=() if valid else ("the client itself lagged under load: the times are rather too long",),
        measurements=_measurements(plan, deployed, loaded, leaked, series, window),
        valid=valid,
        sessions={
            role: sum(session.role == role for session in loaded.sessions) for role in _states(deployed)
        },
        leaks=tuple(each for role in _states(deployed) for each in _of_role(role, leaked)[:_LEAKS_KEPT]),
        latencies={role: tally.total for role, tally in loaded.tallies.items()},
    )
    return MetricsObservation(
        evidence=evidence,
        pairs=loaded.pairs,
        memory=watch_memory(series, loaded),
        starts=seen_starts(series, deployed, plan.target),
        sessions=loaded.sessions,
        series=series,
    )


def _urls(deployed: DeployEvidence) -> dict[Role, str]:
    """Return the URL of each role; none at all without a candidate, for then there is nothing to compare."""
    if not deployed.candidate_url:
        return {}
    urls: dict[Role, str] = {"candidate": deployed.candidate_url, "baseline": deployed.baseline_url}
    return {role: url for role, url in urls.items() if url}


def _states(deployed: DeployEvidence) -> dict[Role, RevisionState | None]:
    return {"candidate": deployed.candidate, "baseline": deployed.baseline}


def _valid(sessions: Sequence[Session]) -> bool:
    """Say whether the client's own lag is small against the latencies: its p99 ≤ 5 % of the median answer."""
    answers = pd.Series([session.answer_s for session in sessions if session.answer_s is not None])
    lags = pd.Series([session.lag_s for session in sessions])
    return answers.empty or bool(lags.quantile(0.99) <= LAG_SHARE * answers.median())


def _series(deployed: DeployEvidence, window: Window, ports: Ports) -> pd.DataFrame:
    """Return all series of both revisions; start-up latencies reach back to the baseline's creation."""
    created = [state.created for state in _states(deployed).values() if state]
    since_start_up = Window(start=min(created, default=window.start), end=window.end)
    tables = [
        _one_series(wanted, since_start_up if wanted.name == "startup" else window, deployed, ports)
        for wanted in _WANTED
    ]
    return pd.concat(tables, ignore_index=True)


def _one_series(wanted: _Wanted, window: Window, deployed: DeployEvidence, ports: Ports) -> pd.DataFrame:
    points = ports.monitoring.read(wanted.metric, window)
    tables = []
    for role, state in _states(deployed).items():
        if state is None:
            continue
        mine = points[points["revision"] == state.name].assign(
            role=role, metric=wanted.name, unit=wanted.unit
        )
        if wanted.name == "memory":
            mine["value"] *= state.memory_limit_mib or float("nan")
        tables.append(mine)
    rows = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_SERIES_COLUMNS)
    return rows[_SERIES_COLUMNS]


def _measurements(
    plan: Plan,
    deployed: DeployEvidence,
    loaded: Loaded,
    leaked: Sequence[Leak],
    series: pd.DataFrame,
    window: Window,
) -> tuple[Measurement, ...]:
    found: list[Measurement] = []
    for role, state in _states(deployed).items():
        if state is None:
            continue
        mine = series[series["role"] == role]
        sessions = [session for session in loaded.sessions if session.role == role]
        due = loaded.due - len(sessions)
        found += [
            _slowest("load.connect_max_s", role, loaded.window, sessions, lambda s: s.connect_s, due),
            _slowest(
                "load.answer_max_s", role, loaded.window, _connected(sessions), lambda s: s.answer_s, due
            ),
            _failures(role, loaded.window, sessions, due),
            _left_open(role, loaded),
            _error_ratio(role, window, mine),
            _memory_growth(role, loaded.window, window, mine),
            _startup(role, state, window, mine),
            *_by_session(plan, role, loaded.window, sessions, _of_role(role, leaked)),
        ]
    return tuple(found)


def _of_role(role: Role, leaked: Sequence[Leak]) -> list[Leak]:
    return [leak for leak in leaked if leak.role == role]


def _connected(sessions: Sequence[Session]) -> list[Session]:
    return [session for session in sessions if session.connect_s is not None]


def _slowest(
    metric: str,
    role: Role,
    window: Window,
    sessions: Sequence[Session],
    value: Callable[[Session], float | None],
    due: int,
) -> Measurement:
    """Return the slowest of the values; a session without one was ended by the service."""
    values = {session.number: seconds for session in sessions if (seconds := value(session)) is not None}
    lost = [session for session in sessions if session.number not in values]
    slowest = max(values, key=lambda number: values[number], default=None)
    note = f"session {lost[0].number}: {lost[0].status} {lost[0].detail}".strip() if lost else ""
    if slowest is not None and not note:
        note = f"session {slowest}; the client itself was at most {_lag_ms(sessions):.0f} ms late"
    # A session that began late is no proof of a slow service; the slowest without its lag is.
    proven = max((values[each.number] - each.lag_s for each in sessions if each.number in values), default=0)
    return measurement(
        metric,
        role,
        window,
        values[slowest] if slowest is not None else None,
        len(values),
        failed=len(lost),
        own=max(0.0, values[slowest] - proven) if slowest is not None else 0,
        missing=due,
        note=note or "no session was made",
        evidence=_LOAD,
    )


def _lag_ms(sessions: Sequence[Session]) -> float:
    return 1000 * max(session.lag_s for session in sessions)


def _failures(role: Role, window: Window, sessions: Sequence[Session], due: int) -> Measurement:
    bad = [session for session in sessions if session.status != "answered"]
    note = f"session {bad[0].number}: {bad[0].status} {bad[0].detail}".strip() if bad else ""
    return measurement(
        "load.failures",
        role,
        window,
        float(len(bad)),
        len(sessions),
        missing=due,
        note=note or ("" if sessions else "no session was made"),
        evidence=_LOAD,
    )


def _by_session(
    plan: Plan, role: Role, window: Window, sessions: Sequence[Session], leaked: Sequence[Leak]
) -> Iterator[Measurement]:
    """Yield what the paired criteria compare, as one figure for each revision: a share, or a median."""
    for metric in dict.fromkeys(criterion.metric for criterion in plan.criteria if criterion.paired):
        values = pd.Series([session_value(metric, session) for session in sessions], dtype=float)
        middle = values.median() if describe(metric).paired == "latency" else values.mean()
        known = len(values) > 0 and math.isfinite(middle)
        note = sentence(leaked[0]) if metric == "pairs.leaks" and leaked else ""
        if not known:
            note = "more than half of the sessions gave no value" if len(values) else "no session was made"
        yield measurement(
            metric, role, window, float(middle) if known else None, int(values.count()) if known else 0,
            note=note, evidence=(*_LOAD, "evidence/pairs.json"),
        )  # fmt: skip


def _left_open(role: Role, loaded: Loaded) -> Measurement:
    before, after = loaded.before.get(role), loaded.after.get(role)
    counted = before is not None and after is not None
    return measurement(
        "sessions.left_open",
        role,
        loaded.window,
        float(after - before) if before is not None and after is not None else None,
        sum(session.role == role for session in loaded.sessions) if counted else 0,
        note=f"{before} before, {after} after"
        if counted
        else "the health endpoint gave no count of sessions",
        evidence=_LOAD,
    )


def _error_ratio(role: Role, window: Window, mine: pd.DataFrame) -> Measurement:
    counts = mine[mine["metric"] == "requests"]
    total = int(counts["value"].sum())
    errors = int(counts.loc[counts["label"] == "5xx", "value"].sum())
    return measurement(
        "requests.error_ratio",
        role,
        window,
        errors / total if total else None,
        total,
        note=f"{errors} of {total} requests answered 5xx" if total else "no request was counted",
        evidence=_SERIES,
    )


def _memory_growth(role: Role, loaded: Window, window: Window, mine: pd.DataFrame) -> Measurement:
    memory = mine[mine["metric"] == "memory"].dropna(subset="value")
    before = memory.loc[memory["time"] <= pd.Timestamp(loaded.start), "value"]
    after = memory.loc[memory["time"] > pd.Timestamp(loaded.end), "value"]
    samples = min(len(before), len(after))
    growth = float(after.median() - before.median()) if samples else None
    note = f"{before.median():.1f} → {after.median():.1f} MiB" if samples else "too few memory samples"
    return measurement("memory.growth_mib", role, window, growth, samples, note=note, evidence=_SERIES)


def _startup(role: Role, state: RevisionState, window: Window, mine: pd.DataFrame) -> Measurement:
    starts = mine[mine["metric"] == "startup"].dropna(subset="value")
    since = Window(start=min(state.created, window.start), end=window.end)
    return measurement(
        "startup.latency_s",
        role,
        since,
        float(starts["value"].median()) / 1000 if len(starts) else None,
        int(starts["count"].sum()),
        note="" if len(starts) else "no start-up was recorded",
        evidence=_SERIES,
    )
