"""What one fault is: its name, what it hits, how often and for how long; read from its JSON form."""

import random
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import grpc

from .errors import invalid
from .names import RevisionId

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
DROP, KILL = "drop-stream", "kill-instance"
LACK = "missing-permission"
CALL_FAULTS = (*STATUSES, SLOW)
LOG_FAULTS = (LATE, DUPLICATE, DISORDER)
NAMES = (*CALL_FAULTS, *LOG_FAULTS, DROP, KILL, LACK)
_TARGETED = (DROP, KILL)
_KINDS = {
    "name": str, "method": str, "target": str, "rate": (int, float), "seconds": (int, float),
    "delay_s": (int, float), "seed": int, "permission": str,
}  # fmt: skip


@dataclass(kw_only=True, eq=False)
class Fault:
    """One fault that is switched on.

    Attributes:
        method: Pattern of the API methods it hits, such as `Services.*`; empty when it hits none. Log faults
            hit entries instead.
        target: Pattern of a service's or a revision's name whose requests it hits; empty when it hits none.
        permission: Pattern of the permissions that the caller lacks, such as `run.services.update`; empty for
            every fault but `missing-permission`.
        rate: Share of calls, entries or requests that it hits, 0 to 1.
        seconds: How long it lasts; None until it is cleared.
        delay_s: How long a slow call or a late entry takes (out of order: at most), how long a stream lasts
            before it is dropped, or an instance after a request has reached it before it is killed.
        hits: Calls, entries, streams or instances hit so far.
    """

    name: str
    method: str = ""
    target: str = ""
    permission: str = ""
    rate: float = 1.0
    seconds: float | None = None
    delay_s: float = 2.0
    seed: int = 0
    hits: int = 0
    until_s: float = field(default=float("inf"), repr=False)
    rng: random.Random = field(default_factory=random.Random, repr=False)

    def drawn(self) -> bool:
        """Draw whether it hits this time, without counting it."""
        return self.rng.random() < self.rate

    def strikes(self) -> bool:
        """Draw whether it hits this time, and count it."""
        hit = self.drawn()
        self.hits += hit
        return hit

    def hits_method(self, name: str) -> bool:
        """Say whether a method such as `Services.GetService` is one of its own."""
        return bool(self.method) and fnmatchcase(name, self.method)

    def hits_permission(self, name: str) -> bool:
        """Say whether a permission is one that it takes away."""
        return bool(self.permission and name) and fnmatchcase(name, self.permission)

    def hits_revision(self, revision: RevisionId) -> bool:
        """Say whether the requests to a revision are among those that it hits."""
        return bool(self.target) and (
            fnmatchcase(revision.service, self.target) or fnmatchcase(revision.revision, self.target)
        )

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        shown = ("name", "method", "target", "permission", "rate", "seconds", "delay_s", "seed", "hits")
        return {key: getattr(self, key) for key in shown}


def read_fault(document: dict[str, Any]) -> Fault:
    """Read a fault from its JSON form.

    A dropped stream may be one of the API's or one through the router: naming a method or a target leaves the
    other kind alone, naming neither hits both.

    Raises:
        ApiError: INVALID_ARGUMENT that names the field and what is allowed.
    """
    _check_kinds(document)
    name = document.get("name")
    if name not in NAMES:
        raise invalid("name", f"'{name}' is none of {', '.join(NAMES)}")
    if not 0 < document.get("rate", 1) <= 1:
        raise invalid("rate", f"{document['rate']} is not above 0 and at most 1")
    for key in ("seconds", "delay_s"):
        if document.get(key, 1) <= 0:
            raise invalid(key, f"{document[key]} is not above 0")
    fault = Fault(**{"delay_s": 0.0 if name == KILL else 2.0, **document})
    _aim(fault)
    return fault


def _check_kinds(document: dict[str, Any]) -> None:
    for key, value in document.items():
        if key not in _KINDS:
            raise invalid(key, f"is no field of a fault: allowed are {', '.join(_KINDS)}")
        if isinstance(value, bool) or not isinstance(value, _KINDS[key]):  # type: ignore[arg-type]
            raise invalid(key, f"{value!r} has the wrong type")


def _aim(fault: Fault) -> None:
    if fault.target and fault.name not in _TARGETED:
        raise invalid("target", f"only {' and '.join(_TARGETED)} have one; {fault.name} has a method")
    if bool(fault.permission) != (fault.name == LACK):
        raise invalid("permission", f"{LACK} needs one, and no other fault has one")
    if fault.name == LACK and fault.method:
        raise invalid("method", f"{LACK} hits every method that needs the permission")
    if fault.method and fault.name == KILL:
        raise invalid("method", f"{KILL} hits requests to a service, not API calls: give a target")
    if not fault.method and not fault.target:
        fault.method = "" if fault.name in (KILL, LACK) else "*"
        fault.target = "*" if fault.name in _TARGETED else ""
