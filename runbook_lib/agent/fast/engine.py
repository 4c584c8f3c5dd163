"""Open sessions by a bare transport on the event loop."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable

from websockets.uri import WebSocketURI, parse_uri

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import Conversation
from runbook_lib.agent.engine import Call
from runbook_lib.agent.expectations import Expectations
from runbook_lib.agent.fast.handshake import beginning
from runbook_lib.agent.fast.session import FastSession, Route
from runbook_lib.agent.fast.tls import Encrypted, Place, Ticket
from runbook_lib.agent.quick import QuickConversation
from runbook_lib.ports import ChatSession


class FastEngine:
    """Implements `engine.Engine`. It looks a host's addresses up once, and uses them in turn."""

    def __init__(self) -> None:
        self._expectations: dict[int, Expectations] = {}
        self._routes: dict[str, Route] = {}
        self._addresses: dict[str, list[str]] = {}
        self._tickets: dict[Place, Ticket] = {}
        self._turns = itertools.count()

    def conversation(self, contract: Contract, clean: Callable[[str], str]) -> Conversation:
        """Return what takes a new session's frames."""
        expectations = self._expectations.get(id(contract))
        if expectations is None:
            expectations = self._expectations[id(contract)] = Expectations(contract)
        return QuickConversation(expectations, clean)

    async def open(self, call: Call) -> ChatSession:
        """Open a session; see `engine.Engine`."""
        route = self._routes.get(call.target.url) or self._route(call.target.url)
        loop = asyncio.get_running_loop()
        session = FastSession(call, route, loop)
        # In a task of its own: the session alone is waited for, and the connection can be given up.
        connecting = loop.create_task(self._connect(session, call, route.uri))
        limit = loop.call_later(call.target.connect_timeout_s, session.not_connected, TimeoutError())
        try:
            await session.opened
        except BaseException:
            _give_up(connecting)
            raise
        finally:
            limit.cancel()
        return session

    def _route(self, url: str) -> Route:
        uri = parse_uri(url)
        self._routes[url] = Route(uri=uri, beginning=beginning(uri))
        return self._routes[url]

    def _spoken(self, session: FastSession, call: Call, uri: WebSocketURI) -> asyncio.Protocol:
        """Return what speaks with the transport: the session itself, or TLS around it."""
        tls = call.target.tls
        return Encrypted(session, (tls, uri.host, uri.port), self._tickets) if tls else session

    async def _connect(self, session: FastSession, call: Call, uri: WebSocketURI) -> asyncio.Transport | None:
        """Connect to one of the host's addresses; the session hears of it, or of why there is none."""
        try:
            return await self._connected(self._spoken(session, call, uri), uri)
        except Exception as error:
            session.not_connected(error)
            return None

    async def _connected(self, protocol: asyncio.Protocol, uri: WebSocketURI) -> asyncio.Transport:
        loop = asyncio.get_running_loop()
        addresses = self._addresses.get(uri.host) or await self._look_up(uri)
        first = next(self._turns)
        for attempt in range(len(addresses)):
            address = addresses[(first + attempt) % len(addresses)]
            try:
                transport, _ = await loop.create_connection(lambda: protocol, address, uri.port)
            except OSError:
                if attempt + 1 == len(addresses):
                    raise
            else:
                return transport
        raise AssertionError("a host has an address, or looking it up fails")

    async def _look_up(self, uri: WebSocketURI) -> list[str]:
        found = await asyncio.get_running_loop().getaddrinfo(uri.host, uri.port, type=socket.SOCK_STREAM)
        self._addresses[uri.host] = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        return self._addresses[uri.host]


def _give_up(connecting: asyncio.Task[asyncio.Transport | None]) -> None:
    if not connecting.done():
        connecting.cancel()
    elif not connecting.cancelled() and (transport := connecting.result()):
        transport.abort()
