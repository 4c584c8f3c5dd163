"""Measures what requests and instances use: bytes, concurrency, billable time, CPU; reads no message."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from .container import Container
from .http_proxy import Exchange
from .metric_store import MetricStore
from .metric_types import (
    BILLABLE_INSTANCE_TIME,
    CPU_ALLOCATION_TIME,
    MAX_REQUEST_CONCURRENCIES,
    MEMORY_ALLOCATION_TIME,
    RECEIVED_BYTES_COUNT,
    REQUEST_COUNT,
    REQUEST_LATENCIES,
    SENT_BYTES_COUNT,
    STARTUP_LATENCIES,
)
from .names import RevisionId
from .process_groups import GONE, Member

_BILLED_STEP_S = 0.1
_BYTES_PER_GIB = 1024**3
_FROM_OUTSIDE = {"kind": "internet"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """An instance, and what it is an instance of; `container` is None only where no image exists."""

    revision: RevisionId
    container: Container | None
    instance_id: str


@dataclass(kw_only=True)
class _Use:
    """What one instance has done since it was last asked; `spell_began_s` is when it became busy."""

    place: Place
    active: int = 0
    most: int = 0
    spell_began_s: float = 0.0
    spell_billed_s: float = 0.0
    due_s: float = 0.0

    def begin(self, now_s: float) -> None:
        if self.active == 0:
            self.spell_began_s, self.spell_billed_s = now_s, 0.0
        self.active += 1
        self.most = max(self.most, self.active)

    def end(self, now_s: float) -> None:
        self.active -= 1
        if self.active == 0:
            self.due_s += _rounded_up(now_s - self.spell_began_s) - self.spell_billed_s

    def take(self, now_s: float) -> tuple[int, float]:
        """Return the most requests at once and the billable seconds, and begin anew."""
        if self.active:
            so_far_s = now_s - self.spell_began_s
            self.due_s += so_far_s - self.spell_billed_s
            self.spell_billed_s = so_far_s
        taken = self.most, self.due_s
        self.most, self.due_s = self.active, 0.0
        return taken


class UsageMeter:
    """Turns what the router and the start of instances see into metrics."""

    def __init__(self, metrics: MetricStore, now_s: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._now_s = now_s
        self._uses: dict[str, _Use] = {}

    @contextmanager
    def busy(self, place: Place) -> Iterator[None]:
        """Count a request as under way while it lasts."""
        use = self._uses.setdefault(place.instance_id, _Use(place=place))
        use.begin(self._now_s())
        try:
            yield
        finally:
            use.end(self._now_s())

    def request_ended(self, revision: RevisionId, exchange: Exchange, latency_s: float) -> None:
        """Count a request with its latency and its bytes."""
        code = str(exchange.status)
        labels = {"response_code": code, "response_code_class": f"{code[0]}xx"}
        self._metrics.add(REQUEST_COUNT, revision, 1, labels)
        self._metrics.observe(REQUEST_LATENCIES, revision, latency_s * 1000, labels)
        self._metrics.add(RECEIVED_BYTES_COUNT, revision, exchange.request_bytes, _FROM_OUTSIDE)
        self._metrics.add(SENT_BYTES_COUNT, revision, exchange.response_bytes, _FROM_OUTSIDE)

    def sample(self, live: Iterable[Place]) -> None:
        """Write what each instance has done since the last sample; one that has gone is written once more."""
        places = {place.instance_id: place for place in live}
        for place in places.values():
            self._uses.setdefault(place.instance_id, _Use(place=place))
        for instance_id, use in list(self._uses.items()):
            self._write(use)
            if instance_id not in places and use.active == 0:
                del self._uses[instance_id]

    def _write(self, use: _Use) -> None:
        most, billable_s = use.take(self._now_s())
        state = {"state": "active" if most else "idle"}
        self._metrics.observe(MAX_REQUEST_CONCURRENCIES, use.place.revision, most, state)
        _bill(self._metrics, use.place.revision, use.place.container, billable_s)


def instance_started(
    metrics: MetricStore, revision: RevisionId, container: Container | None, latency_s: float
) -> None:
    """Write how long a start took; that time is billable."""
    metrics.observe(STARTUP_LATENCIES, revision, latency_s * 1000)
    _bill(metrics, revision, container, _rounded_up(latency_s))


def _bill(metrics: MetricStore, revision: RevisionId, container: Container | None, billable_s: float) -> None:
    """Add billable time; CPU and memory are allocated as long, as under request-based billing.

    Source: https://cloud.google.com/run/docs/configuring/billing-settings
    """
    if container is None:
        return
    memory_gib = container.memory_limit_bytes / _BYTES_PER_GIB
    metrics.add(BILLABLE_INSTANCE_TIME, revision, billable_s)
    metrics.add(CPU_ALLOCATION_TIME, revision, billable_s * container.cpu_limit)
    metrics.add(MEMORY_ALLOCATION_TIME, revision, billable_s * memory_gib)


def _rounded_up(time_s: float) -> float:
    return math.ceil(time_s / _BILLED_STEP_S) * _BILLED_STEP_S


class CpuMeter:
    """Reads how much CPU time process groups use; remembers what their processes had used before."""

    def __init__(self) -> None:
        self._before_s: dict[int, float] = {}
        self._read_at_s = time.monotonic()

    def ratios(self, groups: Iterable[int], found: Iterable[Member]) -> dict[int, float]:
        """Return how many CPUs each process group has kept busy on average since the last call.

        Args:
            groups: The groups, with or without a process.
            found: Their processes.
        """
        used_s = dict.fromkeys(groups, 0.0)
        now_s, before_s = time.monotonic(), self._before_s
        self._before_s = {}
        for member in found:
            with suppress(*GONE):
                times, pid = member.process.cpu_times(), member.process.pid
                cpu_s = times.user + times.system
                used_s[member.group] += max(0.0, cpu_s - before_s.get(pid, 0.0))
                self._before_s[pid] = cpu_s
        elapsed_s, self._read_at_s = now_s - self._read_at_s, now_s
        return {group: seconds / elapsed_s for group, seconds in used_s.items()}
