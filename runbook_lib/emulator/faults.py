"""Faults by name: which are switched on, and what each does to an API call or to a log entry."""

import asyncio
import random
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import grpc

from .errors import ApiError, invalid, not_found
from .log_store import LogSink
from .wire import Message, Method

STATUSES = {
    code.name: code
    for code in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    )
}
SLOW, LATE, DUPLICATE, DISORDER = "slow", "late-logs", "duplicate-logs", "out-of-order-logs"
NAMES = (*STATUSES, SLOW, LATE, DUPLICATE, DISORDER)
_LOG_FAULTS = (LATE, DUPLICATE, DISORDER)


@dataclass(kw_only=True)
class Fault:
    """One fault that is switched on.

    Attributes:
        method: Pattern of the methods it hits, such as `Services.*`; log faults hit entries instead.
        rate: Share of calls or entries that it hits, 0 to 1.
        seconds: How long it lasts; None until it is cleared.
        delay_s: How long a slow call or a late entry takes (out of order: at most).
        hits: Calls or entries hit so far.
    """

    name: str
    method: str = "*"
    rate: float = 1.0
    seconds: float | None = None
    delay_s: float = 2.0
    seed: int = 0
    hits: int = 0
    until_s: float = field(default=float("inf"), repr=False)
    rng: random.Random = field(default_factory=random.Random, repr=False)

    def strikes(self) -> bool:
        """Draw whether it hits this time, and count it."""
        hit = self.rng.random() < self.rate
        self.hits += hit
        return hit

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        shown = ("name", "method", "rate", "seconds", "delay_s", "seed", "hits")
        return {key: getattr(self, key) for key in shown}


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

    def add(self, document: dict[str, Any]) -> Fault:
        """Switch a fault on, from its JSON form.

        Raises:
            ApiError: INVALID_ARGUMENT that names the field and what is allowed.
        """
        fault = _parsed(document)
        names = sorted(short_name(method) for method in self._methods())
        if not any(fnmatchcase(name, fault.method) for name in names):
            raise invalid("method", f"'{fault.method}' fits none of {', '.join(names)}")
        fault.rng = random.Random(fault.seed)
        fault.until_s = self._now_s() + fault.seconds if fault.seconds else float("inf")
        self._faults.append(fault)
        return fault

    def active(self) -> list[Fault]:
        """Return the faults whose time is not over."""
        now_s = self._now_s()
        self._faults = [fault for fault in self._faults if fault.until_s > now_s]
        return list(self._faults)

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
        for fault in self.active():
            if fault.name in _LOG_FAULTS or not fnmatchcase(name, fault.method) or not fault.strikes():
                continue
            if fault.name == SLOW:
                await asyncio.sleep(fault.delay_s)
            else:
                raise ApiError(STATUSES[fault.name], f"{name}: fault {fault.name} is switched on")

    def on_entry(self) -> tuple[float, bool]:
        """Return how late the next log entry comes (in s) and whether it comes twice."""
        delay_s, twice = 0.0, False
        for fault in self.active():
            if fault.name not in _LOG_FAULTS or not fault.strikes():
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


def _parsed(document: dict[str, Any]) -> Fault:
    kinds = {
        "name": str, "method": str, "rate": (int, float), "seconds": (int, float),
        "delay_s": (int, float), "seed": int,
    }  # fmt: skip
    for key, value in document.items():
        if key not in kinds:
            raise invalid(key, f"is no field of a fault: allowed are {', '.join(kinds)}")
        if isinstance(value, bool) or not isinstance(value, kinds[key]):  # type: ignore[arg-type]
            raise invalid(key, f"{value!r} has the wrong type")
    if document.get("name") not in NAMES:
        raise invalid("name", f"'{document.get('name')}' is none of {', '.join(NAMES)}")
    if not 0 < document.get("rate", 1) <= 1:
        raise invalid("rate", f"{document['rate']} is not above 0 and at most 1")
    for key in ("seconds", "delay_s"):
        if document.get(key, 1) <= 0:
            raise invalid(key, f"{document[key]} is not above 0")
    return Fault(**document)
