"""Carry conversations over an open WebSocket, each wait with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from runbook_lib.agent.conversation import Conversation, Stop
from runbook_lib.agent.engine import CLOSE_TIMEOUT_S, LISTEN_BEFORE_S, MOST_STRAYS, complaint, reading
from runbook_lib.ports import LISTEN_S, Answer


class WebSocketSession:
    """An open session; implements `ports.ChatSession`."""

    def __init__(self, socket: ClientConnection, conversation: Conversation, answer_timeout_s: float) -> None:
        self._socket, self._conversation, self._answer_timeout_s = socket, conversation, answer_timeout_s

    @property
    def session_id(self) -> str:
        """The session's id, as the greeting or the first event gave it."""
        return self._conversation.session_id

    @property
    def user_id(self) -> str:
        """The user's id, in the same way."""
        return self._conversation.user_id

    @property
    def revision(self) -> str:
        """The revision that the greeting named."""
        return self._conversation.revision

    async def chat(self, content: str, agent: str, listen_s: float = LISTEN_S) -> Answer:
        """Send one message and collect its answer; what goes wrong is told in it, not raised."""
        await self._listen(LISTEN_BEFORE_S)
        stop, detail = await self._exchange(self._conversation.send(content, agent))
        if self._conversation.ended:
            # A final event that is sent twice shows only to somebody who goes on listening for a moment.
            await self._listen(listen_s)
        return self._conversation.answer(stop, detail)

    async def drop(self, content: str, agent: str) -> Answer:
        """Send one message, and when its answer has begun vanish without a word, as a lost network does."""
        message = self._conversation.send(content, agent)
        stop, detail = await self._exchange(message, lambda: bool(self._conversation.events))
        self._socket.transport.abort()
        return self._conversation.answer(stop or "closed", detail or "dropped on purpose")

    async def close(self) -> None:
        """Close it; never raises."""
        if complaint(self._socket.protocol):  # it was told why already, and need not agree
            return self._socket.transport.abort()
        with suppress(TimeoutError, OSError, ConnectionClosed):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._socket.close()
        return self._socket.transport.abort()  # whatever the server still wants

    async def _exchange(
        self, message: str, enough: Callable[[], bool] = lambda: False
    ) -> tuple[Stop | None, str]:
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                await self._converse(message, enough)
        except TimeoutError:
            if unreadable := complaint(self._socket.protocol):
                return "protocol_violation", unreadable
            return "answer_timeout", f"the final event did not come within {self._answer_timeout_s:g} s"
        except ConnectionClosed as closed:
            return reading(closed)
        return None, ""

    async def _converse(self, message: str, enough: Callable[[], bool]) -> None:
        sent = time.monotonic()  # uvloop's own clock is only exact to a millisecond
        await self._socket.send(message)
        while not (self._conversation.ended or enough()):
            frame = await self._socket.recv()
            self._conversation.feed(frame, time.monotonic() - sent)

    async def _listen(self, seconds: float) -> None:
        with suppress(TimeoutError, ConnectionClosed):  # a lost connection shows on the next message
            async with asyncio.timeout(seconds):
                for _ in range(MOST_STRAYS):
                    self._conversation.feed(await self._socket.recv())
