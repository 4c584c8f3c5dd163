"""Lets the faults of the data plane act: cuts answers that are under way, kills instances that were asked."""

import asyncio
from dataclasses import dataclass

from .fault import DROP, Fault
from .faults import FaultBoard
from .instance import Instance
from .names import RevisionId


@dataclass(kw_only=True, eq=False)
class Stream:
    """A client's connection while a revision answers on it.

    Attributes:
        cut: When it is to be cut, if a fault has hit it.
    """

    revision: RevisionId
    transport: asyncio.Transport | None
    cut: asyncio.TimerHandle | None = None


class Disturbance:
    """Knows the streams that are open, and asks the faults about each."""

    def __init__(self, faults: FaultBoard) -> None:
        self._faults = faults
        self._open: set[Stream] = set()
        faults.on_add(self._hit_what_is_open)

    def reached(self, revision: RevisionId, instance: Instance) -> None:
        """Note that a request has reached an instance."""
        if fault := self._faults.on_request(revision):
            asyncio.get_running_loop().call_later(fault.delay_s, self._kill, fault, instance)

    def opened(self, stream: Stream) -> None:
        """Note that an answer has begun."""
        self._open.add(stream)
        if fault := self._faults.on_stream(stream.revision):
            self._cut_later(fault, stream)

    def closed(self, stream: Stream) -> None:
        """Note that an answer is over; its connection may serve other requests, which must not be cut."""
        self._open.discard(stream)
        if stream.cut:
            stream.cut.cancel()

    def _hit_what_is_open(self, fault: Fault) -> None:
        if fault.name == DROP:
            for stream in self._open:
                if fault.hits_revision(stream.revision) and fault.drawn():
                    self._cut_later(fault, stream)

    def _cut_later(self, fault: Fault, stream: Stream) -> None:
        stream.cut = asyncio.get_running_loop().call_later(fault.delay_s, self._cut, fault, stream)

    def _cut(self, fault: Fault, stream: Stream) -> None:
        if self._faults.is_on(fault) and stream.transport is not None:
            fault.hits += 1
            stream.transport.abort()

    def _kill(self, fault: Fault, instance: Instance) -> None:
        if self._faults.is_on(fault) and instance.alive:
            fault.hits += 1
            instance.kill()
