"""Measures the revision processes at a steady period, ends those above their memory, closes the window."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import psutil

from .clock import NowNs
from .instance import Instance
from .metric_store import MetricStore
from .metric_types import CPU_UTILIZATIONS, INSTANCE_COUNT, MEMORY_UTILIZATIONS
from .metric_usage import CpuMeter, Place, UsageMeter
from .process_groups import GONE, Member, members
from .runtime import RevisionRuntime
from .state import RunState


class Sampler:
    """Writes memory, CPU, use and instance counts into the metric store; holds instances to their memory."""

    def __init__(self, state: RunState, metrics: MetricStore, usage: UsageMeter, now_ns: NowNs) -> None:
        self._state = state
        self._metrics = metrics
        self._usage = usage
        self._cpu = CpuMeter()
        self._now_ns = now_ns

    async def run(self, period_s: float) -> None:
        """Sample until cancelled."""
        while True:
            await asyncio.sleep(period_s)
            self.sample()

    def sample(self) -> None:
        """Measure once."""
        groups = {each.pid for each in self._instances() if each.pid is not None}
        found = members(groups)
        now_ns = self._now_ns()
        busy_cpus = self._cpu.ratios(groups, found)
        self._usage.sample(self._places())
        for runtime in self._state.runtimes():
            self._measure(runtime, found, now_ns)
            self._measure_cpu(runtime, busy_cpus)
        self._metrics.close_window(now_ns)

    def _measure(self, runtime: RevisionRuntime, found: list[Member], now_ns: int) -> None:
        if runtime.container is None:
            return
        states = {"active": 0, "idle": 0}
        for instance in runtime.instances:
            states["active" if instance.active else "idle"] += 1
            own = [member.process for member in found if member.group == instance.pid]
            used_bytes: float = sum(map(_rss_bytes, own))
            limit_bytes = runtime.container.memory_limit_bytes
            if used_bytes > limit_bytes:
                used_bytes = sum(map(_pss_bytes, own))
            if used_bytes:
                self._metrics.observe(MEMORY_UTILIZATIONS, runtime.id, used_bytes / limit_bytes)
            if used_bytes > limit_bytes:
                instance.kill_for_memory(used_bytes)
        for state, count in states.items():
            self._metrics.gauge(INSTANCE_COUNT, runtime.id, count, {"state": state}, now_ns)

    def _measure_cpu(self, runtime: RevisionRuntime, busy_cpus: dict[int, float]) -> None:
        for instance in runtime.instances:
            if runtime.container and instance.pid in busy_cpus:
                ratio = busy_cpus[instance.pid] / runtime.container.cpu_limit
                self._metrics.observe(CPU_UTILIZATIONS, runtime.id, ratio)

    def _places(self) -> Iterator[Place]:
        for runtime in self._state.runtimes():
            for instance in runtime.instances:
                yield Place(revision=runtime.id, container=runtime.container, instance_id=instance.id)

    def _instances(self) -> Iterator[Instance]:
        for runtime in self._state.runtimes():
            yield from runtime.instances


def _rss_bytes(process: psutil.Process) -> int:
    with suppress(*GONE):
        return int(process.memory_info().rss)
    return 0


def _pss_bytes(process: psutil.Process) -> int:
    """Return a process's memory with its part of shared pages, as a container's limit counts; slow, so rare.

    A sum of resident memory counts the pages that a server's forked workers share once for each of them.
    """
    with suppress(*GONE):
        memory = process.memory_full_info()
        return int(getattr(memory, "pss", memory.rss))
    return 0
