"""Faults by name: which are on, and what each does to a call, a log entry, a stream or an instance."""

import asyncio
import random
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .errors import ApiError, invalid, not_found, permission_denied
from .fault import (
    CALL_FAULTS,
    DROP,
    DUPLICATE,
    KILL,
    LACK,
    LATE,
    LOG_FAULTS,
    SLOW,
    STATUSES,
    Fault,
    read_fault,
)
from .log_store import LogSink
from .names import RevisionId
from .permissions import PERMISSIONS, permission_of
from .wire import Message, Method


class FaultBoard:
    """The faults that are switched on now.

    Args:
        methods: Returns the methods that a pattern can hit.
        now_s: A clock that only runs forward, in seconds.
    """

    def __init__(self, methods: Callable[[], Iterable[Method]], now_s: Callable[[], float]) -> None:
        self._methods = methods
        self._now_s = now_s
        self._faults: list[Fault] = []
        self._told: list[Callable[[Fault], None]] = []

    def on_add(self, tell: Callable[[Fault], None]) -> None:
        """Have a function told of each fault that is switched on from now."""
        self._told.append(tell)

    def add(self, document: dict[str, Any]) -> Fault:
        """Switch a fault on, from its JSON form.

        Raises:
            ApiError: INVALID_ARGUMENT that names the field and what is allowed.
        """
        fault = read_fault(document)
        names = sorted(short_name(method) for method in self._methods())
        if fault.method and not any(fault.hits_method(name) for name in names):
            raise invalid("method", f"'{fault.method}' fits none of {', '.join(names)}")
        known = sorted(set(PERMISSIONS.values()))
        if fault.permission and not any(fault.hits_permission(each) for each in known):
            raise invalid("permission", f"'{fault.permission}' fits none of {', '.join(known)}")
        fault.rng = random.Random(fault.seed)
        fault.until_s = self._now_s() + fault.seconds if fault.seconds else float("inf")
        self._faults.append(fault)
        for tell in self._told:
            tell(fault)
        return fault

    def active(self) -> list[Fault]:
        """Return the faults whose time is not over."""
        now_s = self._now_s()
        self._faults = [fault for fault in self._faults if fault.until_s > now_s]
        return list(self._faults)

    def is_on(self, fault: Fault) -> bool:
        """Say whether a fault is still switched on."""
        return fault in self.active()

    def clear(self, name: str = "") -> None:
        """Switch faults off: those of a name, or all.

        Raises:
            ApiError: NOT_FOUND when none of that name is on.
        """
        kept = [fault for fault in self.active() if name and fault.name != name]
        if name and len(kept) == len(self._faults):
            raise not_found(f"faults/{name}")
        self._faults = kept

    async def before_call(self, method: Method) -> None:
        """Delay or refuse a call, as the faults that hit it say.

        Raises:
            ApiError: The status that a fault is named after.
        """
        name = short_name(method)
        if self.lacks(permission_of(method)):
            raise permission_denied(permission_of(method))
        for fault in self.active():
            if fault.name not in CALL_FAULTS or not fault.hits_method(name) or not fault.strikes():
                continue
            if fault.name == SLOW:
                await asyncio.sleep(fault.delay_s)
            else:
                raise ApiError(STATUSES[fault.name], f"{name}: fault {fault.name} is switched on")

    def lacks(self, permission: str) -> bool:
        """Say whether a fault has taken a permission away."""
        return any(
            fault.strikes()
            for fault in self.active()
            if fault.name == LACK and fault.hits_permission(permission)
        )

    def stream_end_s(self, method: Method) -> float | None:
        """Return how many seconds an API stream that begins now may last; None if no fault drops it."""
        for fault in self.active():
            if fault.name == DROP and fault.hits_method(short_name(method)) and fault.strikes():
                return fault.delay_s
        return None

    def on_stream(self, revision: RevisionId) -> Fault | None:
        """Return the fault that drops a connection to a revision which is established now, or None.

        A connection that ends by itself before its time is no hit, so the caller counts.
        """
        return next((fault for fault in self._hitting(DROP, revision) if fault.drawn()), None)

    def on_request(self, revision: RevisionId) -> Fault | None:
        """Return the fault that kills the instance which a request has reached, or None."""
        return next((fault for fault in self._hitting(KILL, revision) if fault.drawn()), None)

    def _hitting(self, name: str, revision: RevisionId) -> Iterator[Fault]:
        # Asked twice for each request: without any fault this must cost nothing.
        if self._faults:
            yield from (
                fault for fault in self.active() if fault.name == name and fault.hits_revision(revision)
            )

    def on_entry(self) -> tuple[float, bool]:
        """Return how late the next log entry comes (in s) and whether it comes twice."""
        delay_s, twice = 0.0, False
        for fault in self.active():
            if fault.name not in LOG_FAULTS or not fault.strikes():
                continue
            if fault.name == DUPLICATE:
                twice = True
            else:
                delay_s += fault.delay_s * (1.0 if fault.name == LATE else fault.rng.random())
        return delay_s, twice


class LogIntake:
    """The way of every entry into the log: once and after the usual delay, unless a fault says otherwise.

    Args:
        delay_s: Seconds from an entry's reception until it can be read.
    """

    def __init__(self, store: LogSink, faults: FaultBoard, delay_s: float = 0.0) -> None:
        self._store = store
        self._faults = faults
        self._delay_s = delay_s

    def add(self, message: Message) -> None:
        """Store an entry, late or twice where a fault hits it."""
        late_s, twice = self._faults.on_entry()
        self._store_after(late_s, message)
        if twice:
            copy = type(message)()
            copy.CopyFrom(message)
            # The same id would be recognised: what readers suffer from is a second entry that says the same.
            copy.insert_id = uuid.uuid4().hex[:20]
            self._store_after(late_s, copy)

    def _store_after(self, late_s: float, message: Message) -> None:
        if late_s:
            received_ns = message.receive_timestamp.ToNanoseconds() + int(late_s * 1e9)
            message.receive_timestamp.FromNanoseconds(received_ns)
        if wait_s := late_s + self._delay_s:
            asyncio.get_running_loop().call_later(wait_s, self._store.add, message)
        else:
            self._store.add(message)


def short_name(method: Method) -> str:
    """Return a method's name as faults give it, such as `Services.GetService`."""
    return f"{method.service.rsplit('.', 1)[-1]}.{method.name}"
