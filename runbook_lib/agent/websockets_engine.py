"""Open sessions by the websockets library."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import Conversation
from runbook_lib.agent.engine import CLOSE_TIMEOUT_S, MAX_MESSAGE_BYTES, NOT_OPENED, Call
from runbook_lib.agent.websocket import WebSocketSession
from runbook_lib.ports import ChatSession, Visit, VisitEnded


class _Connect(connect):
    """A connect that follows no redirect: the token is for this host alone."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class WebsocketsEngine:
    """Implements `engine.Engine`."""

    def __init__(self) -> None:
        # At debug level websockets logs every header, and the token with them.
        self._logger = logging.Logger("runbook.websockets", logging.WARNING)
        self._visiting: set[asyncio.Task[None]] = set()

    def conversation(self, contract: Contract, clean: Callable[[str], str]) -> Conversation:
        """Return what takes a new session's frames."""
        return Conversation(contract, clean)

    async def open(self, call: Call) -> ChatSession:
        """Open a session; see `engine.Engine`."""
        try:
            async with asyncio.timeout(call.target.connect_timeout_s):
                return await self._open(call)
        # `from None`: what websockets says of a handshake may hold the token.
        except NOT_OPENED as error:
            raise call.told(error) from None

    def visit(self, call: Call, content: str, agent: str, ended: VisitEnded) -> None:
        """Begin a session that chats once and closes; see `ports.Agents`."""
        visiting = asyncio.create_task(self._visit(call, content, agent, ended))
        self._visiting.add(visiting)
        visiting.add_done_callback(self._visiting.discard)

    def close(self) -> None:
        """End all visits; who opened a session closes it."""
        for visiting in self._visiting:
            visiting.cancel()

    async def _visit(self, call: Call, content: str, agent: str, ended: VisitEnded) -> None:
        try:
            visit = await self._visited(call, content, agent)
        except Exception as error:
            return ended(error)
        return ended(visit)

    async def _visited(self, call: Call, content: str, agent: str) -> Visit:
        chat = await self.open(call)
        opened_s = time.monotonic()
        try:
            answer = await chat.chat(content, agent)
        finally:
            await chat.close()
        told = {"session_id": chat.session_id, "user_id": chat.user_id, "revision": chat.revision}
        return Visit(opened_s=opened_s, answer=answer, **told)

    async def _open(self, call: Call) -> ChatSession:
        socket = await self._handshake(call)
        try:
            call.check_subprotocol(socket.subprotocol)
            if call.target.greeting is not None:
                call.conversation.begin(await socket.recv())
        except ConnectionClosed as closed:
            socket.transport.abort()
            raise call.lost(closed) from None
        except BaseException:
            socket.transport.abort()
            raise
        return WebSocketSession(socket, call.conversation, call.target.answer_timeout_s)

    async def _handshake(self, call: Call) -> ClientConnection:
        target, offered = call.target, [Subprotocol(each) for each in call.subprotocols]
        tls: dict[str, Any] = {"ssl": target.tls} if target.tls else {}
        return await _Connect(
            target.url, subprotocols=offered or None, additional_headers=dict(call.headers),
            user_agent_header=target.user_agent, compression=None, proxy=None, max_size=MAX_MESSAGE_BYTES,
            open_timeout=None, ping_interval=None, close_timeout=CLOSE_TIMEOUT_S, logger=self._logger, **tls,
        )  # fmt: skip
