"""What the emulated Cloud Run knows: services, their revisions and their open ports."""

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from google.cloud import run_v2

from .clock import NowNs, timestamp
from .errors import not_found
from .names import Place, RevisionId
from .router import Listener
from .runtime import RevisionRuntime
from .wire import Message


@dataclass(kw_only=True)
class Revision:
    """A revision: its message as the API shows it, and its running side."""

    message: Message
    runtime: RevisionRuntime
    ready: bool = False
    failure: str = ""


@dataclass(kw_only=True)
class Service:
    """A service.

    Attributes:
        lock: Held while one change is carried out; later changes wait for their turn.
        tag_listeners: Open port of each tag that traffic names.
        revision_count: Revisions ever made, which numbers the next one.
    """

    id: RevisionId
    message: Message
    listener: Listener
    revisions: dict[str, Revision] = field(default_factory=dict)
    tag_listeners: dict[str, Listener] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    revision_count: int = 0

    @property
    def name(self) -> str:
        """Full resource name."""
        return str(self.message.name)

    def revision_name(self, revision: str) -> str:
        """Return the full name of a revision of this service."""
        return f"{self.name}/revisions/{revision}"

    def listeners(self) -> list[Listener]:
        """Return every open port of the service."""
        return [self.listener, *self.tag_listeners.values()]


@dataclass(kw_only=True)
class RunState:
    """All services, by full name."""

    now_ns: NowNs
    services: dict[str, Service] = field(default_factory=dict)

    def service(self, name: str) -> Service:
        """Return a service.

        Raises:
            ApiError: NOT_FOUND.
        """
        if name not in self.services:
            raise not_found(name)
        return self.services[name]

    def services_in(self, place: Place) -> list[Service]:
        """Return the services of a project's region, by name."""
        prefix = f"{place}/services/"
        return [service for name, service in sorted(self.services.items()) if name.startswith(prefix)]

    def runtimes(self) -> Iterator[RevisionRuntime]:
        """Yield the running side of every revision."""
        for service in self.services.values():
            yield from (revision.runtime for revision in service.revisions.values())

    def touch(self, message: Message) -> None:
        """Note a change: new etag, new update time."""
        message.update_time.CopyFrom(timestamp(self.now_ns()))
        message.etag = f'"{uuid.uuid4().hex[:16]}"'


_State = run_v2.Condition.State
SUCCEEDED, FAILED, RECONCILING = (
    int(_State.CONDITION_SUCCEEDED),
    int(_State.CONDITION_FAILED),
    int(_State.CONDITION_RECONCILING),
)


def condition(kind: str, state: int, now_ns: int, message: str = "") -> Message:
    """Build a condition."""
    built = run_v2.Condition.pb()(type_=kind, state=state, message=message)
    built.last_transition_time.CopyFrom(timestamp(now_ns))
    if state == FAILED:
        built.severity = int(run_v2.Condition.Severity.ERROR)
    return built


def set_condition(resource: Message, new: Message) -> None:
    """Put a condition on a service or revision in place of the one of its type."""
    for existing in resource.conditions:
        if existing.type_ == new.type_:
            existing.CopyFrom(new)
            return
    resource.conditions.append(new)
