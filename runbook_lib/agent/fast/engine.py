"""Open sessions on a wire of their own."""

from __future__ import annotations

import asyncio
import itertools
import select
import socket
from collections.abc import Callable, Sequence

from websockets.uri import WebSocketURI, parse_uri

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import Conversation
from runbook_lib.agent.engine import Call
from runbook_lib.agent.expectations import Expectations
from runbook_lib.agent.fast.epoll import EpollWire
from runbook_lib.agent.fast.handshake import beginning
from runbook_lib.agent.fast.session import FastSession, Route
from runbook_lib.agent.fast.tls import Encrypted, Place, Ticket
from runbook_lib.agent.fast.wire import Address, LoopWire, Speaker, Wire
from runbook_lib.agent.quick import QuickConversation
from runbook_lib.ports import ChatSession

NewWire = Callable[[asyncio.AbstractEventLoop], Wire]
BEST_WIRE: NewWire = EpollWire if hasattr(select, "epoll") else LoopWire


class FastEngine:
    """Implements `engine.Engine`. It looks a host's addresses up once, and uses them in turn.

    Args:
        new_wire: Makes what carries the sessions of an event loop.
    """

    def __init__(self, new_wire: NewWire = BEST_WIRE) -> None:
        self._new_wire = new_wire
        self._wire: Wire | None = None
        self._expectations: dict[int, Expectations] = {}
        self._routes: dict[str, Route] = {}
        self._addresses: dict[str, list[Address]] = {}
        self._tickets: dict[Place, Ticket] = {}
        self._turns = itertools.count()

    def conversation(self, contract: Contract, clean: Callable[[str], str]) -> Conversation:
        """Return what takes a new session's frames."""
        expectations = self._expectations.get(id(contract))
        if expectations is None:
            expectations = self._expectations[id(contract)] = Expectations(contract)
        return QuickConversation(expectations, clean)

    async def open(self, call: Call) -> ChatSession:
        """Open a session; see `engine.Engine`. A host is looked up first, within as long again."""
        target = call.target
        route, wire = self._routes.get(target.url) or self._route(target.url), self._wire_here()
        addresses = self._addresses.get(target.url)
        if addresses is None:
            addresses = await asyncio.wait_for(self._look_up(target.url, route.uri), target.connect_timeout_s)
        session = FastSession(call, route, wire)
        limit = wire.call_later(target.connect_timeout_s, session.not_connected, TimeoutError())
        connection = wire.connect(self._speaker(session, call, route.uri), self._from_next(addresses))
        try:
            await session.opened
        except BaseException:
            connection.abort()
            raise
        finally:
            limit.cancel()
        return session

    def _wire_here(self) -> Wire:
        loop = asyncio.get_running_loop()
        if self._wire is None or self._wire.loop is not loop:
            self._wire = self._new_wire(loop)
        return self._wire

    def _route(self, url: str) -> Route:
        uri = parse_uri(url)
        self._routes[url] = Route(uri=uri, beginning=beginning(uri))
        return self._routes[url]

    def _speaker(self, session: FastSession, call: Call, uri: WebSocketURI) -> Speaker:
        """Return what speaks over the connection: the session itself, or TLS around it."""
        tls = call.target.tls
        return Encrypted(session, (tls, uri.host, uri.port), self._tickets) if tls else session

    async def _look_up(self, url: str, uri: WebSocketURI) -> list[Address]:
        entries = await asyncio.get_running_loop().getaddrinfo(uri.host, uri.port, type=socket.SOCK_STREAM)
        found = list(dict.fromkeys(Address(family=entry[0], where=entry[4]) for entry in entries))
        self._addresses[url] = found
        return found

    def _from_next(self, addresses: Sequence[Address]) -> Sequence[Address]:
        """Return them in turn: each session begins with another one."""
        first = next(self._turns) % len(addresses)
        return (*addresses[first:], *addresses[:first]) if first else addresses
