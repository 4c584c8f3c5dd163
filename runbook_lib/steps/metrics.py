"""Load both revisions with sessions and read what Cloud Monitoring says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from runbook_lib.evidence import (
    DeployEvidence,
    Leak,
    Measurement,
    MetricsEvidence,
    RevisionState,
    Role,
    Window,
)
from runbook_lib.evidence.memory import MemoryWatch
from runbook_lib.evidence.pairs import PairCounts
from runbook_lib.evidence.starts import Starts
from runbook_lib.plan import Plan
from runbook_lib.ports import MetricType, Ports
from runbook_lib.ports.kept import KeptSessions
from runbook_lib.steps.loading import Enough, Loaded, Show, load
from runbook_lib.steps.measuring import measurement
from runbook_lib.steps.session_figures import LOAD_FILES, in_time
from runbook_lib.steps.starting import seen_starts
from runbook_lib.steps.watching import watch_memory

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
    """The step's evidence, its pairs by criterion, both revisions' memory, starts and series.

    `series` has one row per point: `time` (UTC), `role`, `metric`, `value`, `count`, `label`, `unit`.
    """

    evidence: MetricsEvidence
    pairs: dict[str, PairCounts]
    memory: MemoryWatch
    starts: Starts
    series: pd.DataFrame


def measure(
    plan: Plan,
    deployed: DeployEvidence,
    ports: Ports,
    kept: KeptSessions,
    enough: Enough = lambda _: False,
    show: Show = lambda _: None,
) -> MetricsObservation:
    """Stay quiet, load, stay quiet again, then read the series.

    Args:
        plan: What to load, and how to compare.
        deployed: What was deployed.
        ports: The world.
        kept: Gets every session of the load; none is held here.
        enough: Asked after each wave of looks; True ends the load before the budget is spent.
        show: Told twice a second how the load goes.

    Raises:
        CannotRecord: If the sessions cannot be kept.
        CloudError: If Cloud Monitoring does not answer.
        RunRefused: If the plan does not allow to load the service's host.
    """
    start = ports.clock.now()
    urls = _urls(deployed)
    ports.clock.sleep(plan.metrics.idle_s if urls else 0)
    loaded = load(plan, urls, ports, kept, enough, show)
    ports.clock.sleep(max(plan.metrics.idle_s, plan.metrics.settle_s) if urls else 0)
    window = Window(start=start, end=ports.clock.now())
    series = _series(deployed, window, ports)
    valid, leaked = in_time(loaded.figures.values()), loaded.names.leaks(kept.at, _LEAKS_KEPT)
    evidence = MetricsEvidence(
        window=window,
        notes=() if valid else ("the client itself lagged under load: the times are rather too long",),
        measurements=_measurements(deployed, loaded, leaked, series, window),
        valid=valid,
        sessions={role: loaded.figures[role].count for role in _states(deployed)},
        leaks=tuple(each for role in _states(deployed) for each in _of_role(role, leaked)),
        latencies={role: tally.total for role, tally in loaded.tallies.items()},
    )
    return MetricsObservation(
        evidence=evidence,
        pairs=loaded.pairs,
        memory=watch_memory(series, loaded),
        starts=seen_starts(series, deployed, plan.target),
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
        found += [
            *loaded.figures[role].measurements(loaded.window, loaded.due),
            _left_open(role, loaded),
            _error_ratio(role, window, mine),
            _memory_growth(role, loaded.window, window, mine),
            _startup(role, state, window, mine),
            *loaded.figures[role].middles(loaded.window, _of_role(role, leaked)),
        ]
    return tuple(found)


def _of_role(role: Role, leaked: Sequence[Leak]) -> list[Leak]:
    return [leak for leak in leaked if leak.role == role]


def _left_open(role: Role, loaded: Loaded) -> Measurement:
    before, after = loaded.before.get(role), loaded.after.get(role)
    counted = before is not None and after is not None
    return measurement(
        "sessions.left_open",
        role,
        loaded.window,
        float(after - before) if before is not None and after is not None else None,
        loaded.figures[role].count if counted else 0,
        note=f"{before} before, {after} after"
        if counted
        else "the health endpoint gave no count of sessions",
        evidence=LOAD_FILES,
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
