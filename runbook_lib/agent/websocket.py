"""Carry conversations over an open WebSocket of the websockets library, each wait with a deadline."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from runbook_lib.agent.chat import Chat
from runbook_lib.agent.conversation import Conversation, Stop
from runbook_lib.agent.engine import CLOSE_TIMEOUT_S, LISTEN_BEFORE_S, MOST_STRAYS, complaint, reading


class WebSocketSession(Chat):
    """An open session; implements `ports.ChatSession`."""

    def __init__(self, socket: ClientConnection, conversation: Conversation, answer_timeout_s: float) -> None:
        super().__init__(conversation)
        self._socket, self._answer_timeout_s = socket, answer_timeout_s

    async def close(self) -> None:
        """Close it; never raises."""
        if complaint(self._socket.protocol):  # it was told why already, and need not agree
            return self._vanish()
        with suppress(TimeoutError, OSError, ConnectionClosed):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._socket.close()
        return self._vanish()  # whatever the server still wants

    async def _exchange(
        self, content: str, agent: str, listen_s: float, *, until_begun: bool = False
    ) -> tuple[Stop | None, str]:
        await self._listen(LISTEN_BEFORE_S)
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                await self._converse(self._conversation.send(content, agent), until_begun)
        except TimeoutError:
            if unreadable := complaint(self._socket.protocol):
                return "protocol_violation", unreadable
            return "answer_timeout", f"the final event did not come within {self._answer_timeout_s:g} s"
        except ConnectionClosed as closed:
            return reading(closed)
        if listen_s > 0:
            await self._listen(listen_s)
        return None, ""

    async def _converse(self, message: str, until_begun: bool) -> None:
        sent = time.monotonic()  # uvloop's own clock is only exact to a millisecond
        await self._socket.send(message)
        while not (self._conversation.ended or (until_begun and self._conversation.events)):
            frame = await self._socket.recv()
            self._conversation.feed(frame, time.monotonic() - sent)

    async def _listen(self, seconds: float) -> None:
        with suppress(TimeoutError, ConnectionClosed):  # a lost connection shows on the next message
            async with asyncio.timeout(seconds):
                for _ in range(MOST_STRAYS):
                    self._conversation.feed(await self._socket.recv())

    def _vanish(self) -> None:
        self._socket.transport.abort()
