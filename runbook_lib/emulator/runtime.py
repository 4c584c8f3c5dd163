"""The running side of a revision: its instances, started on demand and ended when nothing leads to it."""

import asyncio
from collections.abc import Callable

from .container import Container
from .instance import Instance, StartFailed, Surroundings
from .metric_store import MetricStore
from .metric_usage import instance_started
from .names import RevisionId
from .reaper import GRACE_S


class NotStartable(Exception):
    """The revision has no instance and none can be started."""


class RevisionRuntime:
    """Instances of one revision; there is at most one as long as nothing scales out.

    Attributes:
        id: Which revision this is.
        container: What an instance runs; None when the image does not exist.
        instances: Live instances.
    """

    def __init__(
        self,
        revision: RevisionId,
        container: Container | None,
        surroundings: Surroundings,
        metrics: MetricStore,
    ) -> None:
        self.id = revision
        self.container = container
        self.instances: list[Instance] = []
        self._surroundings = surroundings
        self._metrics = metrics
        self._start_task: asyncio.Task[Instance] | None = None
        self._retirement: asyncio.Task[None] | None = None

    @property
    def request_timeout_s(self) -> float:
        """How long a request may last."""
        return self.container.request_timeout_s if self.container else 0.0

    async def instance(self) -> Instance:
        """Return an instance that serves, after a cold start where there is none.

        Raises:
            NotStartable: If the container cannot be started.
        """
        if ready := self._ready():
            return ready
        if self._start_task is None or self._start_task.done():
            self._start_task = asyncio.create_task(self._start())
        # One start serves all who wait; a client who gives up must not end it for the others.
        return await asyncio.shield(self._start_task)

    def keep(self) -> None:
        """Call off a retirement: traffic or a tag leads here again."""
        if self._retirement and not self._retirement.done():
            self._retirement.cancel()
        self._retirement = None

    def retire(self) -> None:
        """End the instances once their last request is over."""
        if self.instances and self._retirement is None:
            self._retirement = asyncio.create_task(self._drain_and_stop())

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """End all instances now."""
        self.keep()
        if self._start_task and not self._start_task.done():
            self._start_task.cancel()
        await asyncio.gather(*(instance.stop(grace_s) for instance in list(self.instances)))

    def _ready(self) -> Instance | None:
        return next((instance for instance in self.instances if instance.accepting), None)

    async def _start(self) -> Instance:
        if self.container is None:
            raise NotStartable(f"revision {self.id.revision} has no image to start")
        instance = Instance(self.id, self.container, self._surroundings)
        try:
            latency_s = await instance.start(on_exit=self._forget)
        except StartFailed as failure:
            raise NotStartable(str(failure)) from failure
        instance_started(self._metrics, self.id, self.container, latency_s)
        if not instance.accepting:
            raise NotStartable(f"the container of revision {self.id.revision} ended right after its start")
        self.instances.append(instance)
        return instance

    def _forget(self, instance: Instance) -> None:
        if instance in self.instances:
            self.instances.remove(instance)

    async def _drain_and_stop(self) -> None:
        instances = list(self.instances)
        await asyncio.gather(*(instance.drain() for instance in instances))
        await asyncio.gather(*(instance.stop() for instance in instances))
        self._retirement = None


Pick = Callable[[], RevisionRuntime | None]
"""Chooses the revision that serves the next request; None when the service routes nowhere."""
