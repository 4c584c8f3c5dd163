"""The running side of a revision: how many instances it has, and which of them takes the next request.

Source: https://cloud.google.com/run/docs/about-instance-autoscaling (there, a minute's average of processor
use and concurrency starts instances too; here one is started when all others are full)
"""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable

from .container import Container
from .instance import Instance, StartFailed, Surroundings
from .metric_store import MetricStore
from .metric_usage import instance_started
from .names import RevisionId
from .reaper import GRACE_S
from .scaling import Bounds

_START_UPS_TO_WAIT = 3.5
_AFTER_FAILURE_S = 5.0


class NotStartable(Exception):
    """The revision has no instance and none can be started."""


class NoRoom(Exception):
    """Every instance is full, no more may be started, and none became free in time."""


class RevisionRuntime:
    """Instances of one revision, and the requests that wait for one.

    Attributes:
        id: Which revision this is.
        container: What an instance runs; None when the image does not exist.
        instances: Live instances, oldest first.
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
        self._concurrency = container.concurrency if container else 1
        self._surroundings = surroundings
        self._metrics = metrics
        self._bounds = Bounds(reached=False, at_least=0, at_most=1)
        self._bounds_since_s = time.monotonic()
        self._waiting: deque[asyncio.Future[Instance]] = deque()
        self._starting: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._start_ups, self._start_up_total_s = 0, 0.0
        self._failed_at_s = -math.inf
        self._closed = False

    @property
    def request_timeout_s(self) -> float:
        """How long a request may last."""
        return self.container.request_timeout_s if self.container else 0.0

    @property
    def pending_s(self) -> float:
        """How long a request waits while all are full: 3.5 average start-ups, and not less than 10 s."""
        mean_s = self._start_up_total_s / self._start_ups if self._start_ups else 0.0
        return max(self._surroundings.patience.pending_s, _START_UPS_TO_WAIT * mean_s)

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[Instance]:
        """Hold one of an instance's places while the block lasts; wait, or start an instance, for it.

        Raises:
            NotStartable: If there is no instance and the container cannot be started.
            NoRoom: If all are full for too long.
        """
        instance = self._free() or await self._wait()
        # `_wait` was given its place already: nobody can take it between that moment and this line.
        try:
            yield instance
        finally:
            instance.release()
            self._seat_waiting()

    async def start_first(self) -> None:
        """Start an instance unless one serves.

        Raises:
            NotStartable: If the container cannot be started.
        """
        async with self.place():
            pass

    def limit(self, bounds: Bounds) -> None:
        """Take new limits: more instances start at once, spare ones end when they have idled."""
        if bounds != self._bounds:
            self._bounds, self._bounds_since_s = bounds, time.monotonic()
        self._scale_out()

    def tidy(self) -> None:
        """End instances that idled too long and start what the minimum asks for."""
        accepting = self._accepting()
        spare = [instance for instance in accepting if self._idled_too_long(instance)]
        for instance in spare[::-1][: max(0, len(accepting) - self._bounds.at_least)]:
            self._end(instance)
        if time.monotonic() - self._failed_at_s > _AFTER_FAILURE_S:
            self._scale_out()

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """End all instances now, for good."""
        self._closed = True
        self._turn_away(NotStartable(f"revision {self.id.revision} is being deleted"))
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.gather(*(instance.stop(grace_s) for instance in list(self.instances)))

    def _accepting(self) -> list[Instance]:
        return [instance for instance in self.instances if instance.accepting]

    def _free(self) -> Instance | None:
        """Take a place on the instance with the fewest requests; the oldest of several: the rest may idle."""
        best = None
        for instance in self.instances:
            least = best.active if best else self._concurrency
            if instance.active < least and instance.accepting:
                best = instance
        if best is not None:
            best.take()
        return best

    async def _wait(self) -> Instance:
        place: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._scale_out()
        try:
            while not (await asyncio.wait([place], timeout=self.pending_s))[0]:
                if not self._starting:
                    raise NoRoom
            return place.result()
        except BaseException:
            self._give_back(place)
            raise

    def _give_back(self, place: asyncio.Future[Instance]) -> None:
        if place in self._waiting:
            self._waiting.remove(place)
        elif place.done() and place.exception() is None:
            place.result().release()
            self._seat_waiting()

    def _seat_waiting(self) -> None:
        while self._waiting and (instance := self._free()):
            self._waiting.popleft().set_result(instance)

    def _turn_away(self, reason: Exception) -> None:
        while self._waiting:
            self._waiting.popleft().set_exception(reason)

    def _scale_out(self) -> None:
        """Start what those who wait need, or the minimum asks for, up to the maximum."""
        if self._closed:
            return
        present = len(self._accepting())
        needed = max(math.ceil(len(self._waiting) / self._concurrency), self._bounds.at_least - present)
        for _ in range(min(needed, self._bounds.at_most - present) - len(self._starting)):
            task = asyncio.create_task(self._start())
            self._starting.add(task)

    async def _start(self) -> None:
        try:
            await self._start_one()
        except NotStartable as failure:
            self._failed_at_s = time.monotonic()
            if len(self._starting) == 1 and not self._accepting():
                self._turn_away(failure)
        finally:
            self._starting.discard(asyncio.current_task())
        self._seat_waiting()

    async def _start_one(self) -> None:
        if self.container is None:
            raise NotStartable(f"revision {self.id.revision} has no image to start")
        instance = Instance(self.id, self.container, self._surroundings)
        try:
            latency_s = await instance.start(on_exit=self._forget)
        except StartFailed as failure:
            raise NotStartable(str(failure)) from failure
        instance_started(self._metrics, self.id, self.container, latency_s)
        self._start_ups += 1
        self._start_up_total_s += latency_s
        if not instance.accepting:
            raise NotStartable(f"the container of revision {self.id.revision} ended right after its start")
        self.instances.append(instance)

    def _forget(self, instance: Instance) -> None:
        if instance in self.instances:
            self.instances.remove(instance)
        if self._waiting:
            self._scale_out()

    def _idled_too_long(self, instance: Instance) -> bool:
        patience = self._surroundings.patience
        if self._bounds.reached:
            limit_s, since_s = patience.idle_instance_s, instance.last_active_s
        else:
            limit_s = min(patience.idle_instance_s, patience.unreached_instance_s)
            since_s = max(instance.last_active_s, self._bounds_since_s)
        return instance.active == 0 and time.monotonic() - since_s > limit_s

    def _end(self, instance: Instance) -> None:
        task = asyncio.create_task(instance.stop())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


Pick = Callable[[], RevisionRuntime | None]
"""Chooses the revision that serves the next request; None when the service routes nowhere."""
