"""Open sessions by a bare transport on the event loop."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable
from typing import Any

from websockets.uri import WebSocketURI, parse_uri

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import Conversation
from runbook_lib.agent.engine import Call
from runbook_lib.agent.fast.session import FastSession
from runbook_lib.agent.quick import Expectations, QuickConversation
from runbook_lib.ports import ChatSession


class FastEngine:
    """Implements `engine.Engine`. It looks a host's addresses up once, and uses them in turn."""

    def __init__(self) -> None:
        self._expectations: dict[int, Expectations] = {}
        self._uris: dict[str, WebSocketURI] = {}
        self._addresses: dict[str, list[str]] = {}
        self._turns = itertools.count()

    def conversation(self, contract: Contract, clean: Callable[[str], str]) -> Conversation:
        """Return what takes a new session's frames."""
        expectations = self._expectations.get(id(contract))
        if expectations is None:
            expectations = self._expectations[id(contract)] = Expectations(contract)
        return QuickConversation(expectations, clean)

    async def open(self, call: Call) -> ChatSession:
        """Open a session; see `engine.Engine`."""
        uri = self._uris.get(call.url) or self._uris.setdefault(call.url, parse_uri(call.url))
        session = FastSession(call, uri, asyncio.get_running_loop())
        transport = await self._connected(session, call, uri)
        try:
            await session.opened
        except BaseException:
            transport.abort()
            raise
        return session

    async def _connected(self, session: FastSession, call: Call, uri: WebSocketURI) -> asyncio.Transport:
        loop = asyncio.get_running_loop()
        tls: dict[str, Any] = {"ssl": call.tls, "server_hostname": uri.host} if call.tls else {}
        addresses = self._addresses.get(uri.host) or await self._look_up(uri)
        first = next(self._turns)
        for attempt in range(len(addresses)):
            address = addresses[(first + attempt) % len(addresses)]
            try:
                transport, _ = await loop.create_connection(lambda: session, address, uri.port, **tls)
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
