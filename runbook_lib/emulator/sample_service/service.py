"""Hold the parts of one running service together; the routes reach them through `SERVICE`."""

from __future__ import annotations

import random
import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field

from aiohttp import web

from .agents import AgentRegistry, UserExecutionContext
from .auth import Tokens, signing_secret
from .config import Settings
from .defects import Defects, EveryNth
from .events import Event
from .sessions import SessionManager, ThreadStore


@dataclass(kw_only=True)
class Service:
    """One process of the service."""

    settings: Settings
    defects: Defects
    tokens: Tokens
    staging_password: str
    sessions: SessionManager
    registry: AgentRegistry
    jitter: random.Random
    lots: random.Random
    threads: ThreadStore = field(default_factory=ThreadStore)
    sockets: dict[web.WebSocketResponse, UserExecutionContext] = field(default_factory=dict)
    leftovers: dict[str, Event] = field(default_factory=dict)
    locked_until_s: dict[str, float] = field(default_factory=dict)
    newest_events: dict[str, Event] = field(default_factory=dict)
    answers: int = 0
    retained: list[bytes] = field(default_factory=list)
    started_s: float = field(default_factory=time.monotonic)
    api_500: EveryNth = field(init=False)
    slow_handshake: EveryNth = field(init=False)
    lock_timeout: EveryNth = field(init=False)
    slow_answer: EveryNth = field(init=False)

    def __post_init__(self) -> None:
        """Set the counters of the defects that act now and then."""
        self.api_500 = EveryNth(self.defects.api_500_every)
        self.slow_handshake = EveryNth(self.defects.slow_handshake_every)
        self.lock_timeout = EveryNth(self.defects.lock_timeout_every)
        self.slow_answer = EveryNth(self.defects.slow_answer_every)

    @property
    def revision(self) -> str:
        """The revision that its sessions say they are served by."""
        return self.defects.names_revision or self.settings.revision

    @property
    def uptime_s(self) -> float:
        """Seconds since the process was ready to build this."""
        return time.monotonic() - self.started_s


SERVICE: web.AppKey[Service] = web.AppKey("service", Service)


def build(settings: Settings, defects: Defects, environ: MutableMapping[str, str]) -> Service:
    """Return a service with nobody connected."""
    return Service(
        settings=settings,
        defects=defects,
        tokens=Tokens(secret=signing_secret(environ), faults=defects.faults),
        staging_password=environ.get("STAGING_PASSWORD", ""),
        sessions=SessionManager(defects),
        registry=AgentRegistry(defects),
        jitter=random.Random(),
        lots=random.Random(environ.get("LEAK_SEED")),
    )
