"""A chat service on a real socket that does what a test's script says, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web
from engines import Engine

from runbook_lib.agent.client import AgentClient
from runbook_lib.plan import Probes
from runbook_lib.plan.probes import Protocol as ChatProtocol
from runbook_lib.ports import LISTEN_S, Agents, Answer, Visit

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwcm9iZSJ9.c2lnbmF0dXJlLW9mLXRoZS10ZXN0LXRva2Vu"  # noqa: S105
SUBPROTOCOL = "jwt." + base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")
EVENTS = ChatProtocol().events
PATIENCE_S = 10.0  # for things that must happen; never waited out when they do


async def greet(socket: web.WebSocketResponse, session_id: str = "s1") -> None:
    """Send the greeting."""
    await socket.send_json({"type": "connection_ready", "data": {"user_id": "u1", "session_id": session_id}})


def events_of(content: str, session_id: str = "s1") -> list[dict[str, Any]]:
    """Return the events of a clean answer that repeats `content`."""
    return [
        {
            "type": kind, "data": {"response": content} if kind == EVENTS[-1] else {},
            "message_id": f"{content}-{number}", "run_id": content, "thread_id": "t", "user_id": "u1",
            "session_id": session_id, "timestamp": "now", "sequence": number,
        }
        for number, kind in enumerate(EVENTS, start=1)
    ]  # fmt: skip


async def answer(socket: web.WebSocketResponse, content: str, session_id: str = "s1") -> None:
    """Send a clean answer that repeats `content`."""
    for event in events_of(content, session_id):
        await socket.send_json(event)


async def behave(socket: web.WebSocketResponse) -> None:
    """Greet and answer every message, as a service should."""
    await greet(socket)
    async for message in socket:
        await answer(socket, json.loads(message.data)["data"]["content"])


@dataclass
class ScriptedService:
    """What the service does. `requests` holds the headers of every request, `bodies` those of the logins."""

    talk: Callable[[web.WebSocketResponse], Awaitable[None]] = behave
    login: Callable[[], Awaitable[web.StreamResponse]] | None = None
    refuse: Callable[[], web.Response] | None = None
    select: tuple[str, ...] = ("jwt-auth",)
    handshake_delay_s: float = 0.0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    url: str = ""

    async def on_login(self, request: web.Request) -> web.StreamResponse:
        """Give everybody the same token."""
        self._remember(request)
        self.bodies.append(await request.json())
        return await self.login() if self.login else web.json_response({"access_token": TOKEN})

    async def on_api(self, request: web.Request) -> web.StreamResponse:
        """Answer as the path says: /api/500 with 500."""
        self._remember(request)
        return web.json_response({"ok": True}, status=int(request.match_info["status"]))

    async def on_socket(self, request: web.Request) -> web.StreamResponse:
        """Refuse the handshake, or let the script talk."""
        self._remember(request)
        await asyncio.sleep(self.handshake_delay_s)
        if self.refuse is not None:
            return self.refuse()
        socket = web.WebSocketResponse(protocols=self.select, max_msg_size=0)
        await socket.prepare(request)
        await self.talk(socket)
        return socket

    def _remember(self, request: web.Request) -> None:
        self.requests.append((request.path, dict(request.headers)))

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedService]:
        """Serve for a while, by TLS if there is a certificate."""
        app = web.Application()
        app.router.add_post("/auth/login", self.on_login)
        app.router.add_get("/api/{status}", self.on_api)
        app.router.add_get("/ws", self.on_socket)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


@asynccontextmanager
async def raw_server(
    script: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Serve bytes for a while; yields the URL."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def chatted(agents: Agents, url: str, listen_s: float = LISTEN_S) -> Answer:
    """Connect, say `hello`, close."""
    session = await agents.connect(url, TOKEN)
    try:
        return await session.chat("hello", "triage", listen_s)
    finally:
        await session.close()


async def visited(agents: Agents, url: str) -> Answer:
    """Do the same by a visit, and raise why there was none; it is told once."""
    told: list[Visit | Exception] = []
    agents.visit(url, TOKEN, "hello", "triage", told.append)
    while not told:
        await asyncio.sleep(0.002)
    await asyncio.sleep(0.05)
    (visit,) = told
    if isinstance(visit, Exception):
        raise visit
    return visit.answer


Way = Callable[[Agents, str], Awaitable[Answer]]
WAYS: dict[str, Way] = {"chatted": chatted, "visited": visited}
"""Both ways through a session of one message: they have the same outcomes."""


class Maker(Protocol):
    """Makes a client, for the plan's `probes`."""

    def __call__(self, environment: dict[str, str] | None = None, **probes: Any) -> Agents:
        """Return it; the time limits are short unless `probes` says otherwise."""
        ...


def agents_of(engine: Engine, environment: dict[str, str] | None = None, **probes: Any) -> Agents:
    """Return a client of one engine, with short time limits."""
    limits = {"connect_timeout_s": 5.0, "answer_timeout_s": 5.0}
    return engine(Probes(**(limits | probes)), "runbook/20261123-test", environment or {})


def client(environment: dict[str, str] | None = None, **probes: Any) -> Agents:
    """Return a client of the default engine, with short time limits."""
    return agents_of(AgentClient, environment, **probes)
