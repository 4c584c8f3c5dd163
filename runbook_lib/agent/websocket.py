"""Carry conversations over an open WebSocket, each wait with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from runbook_lib.agent.conversation import Conversation, Stop
from runbook_lib.ports import LISTEN_S, Answer

CLOSE_TIMEOUT_S = 2.0
_LISTEN_BEFORE_S = 0.001
_MOST_STRAYS = 1000
_OUR_COMPLAINTS = (CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA, CloseCode.MESSAGE_TOO_BIG)


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
        await self._listen(_LISTEN_BEFORE_S)
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
        if self._complaint():  # it was told why already, and need not agree
            return self._socket.transport.abort()
        with suppress(TimeoutError, OSError, ConnectionClosed):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._socket.close()
        return self._socket.transport.abort()  # whatever the server still wants

    def _complaint(self) -> str:
        """Return what was wrong with a frame that websockets could not read; empty if it could read all."""
        sent = self._socket.protocol.close_sent
        ours = sent is not None and sent.code in _OUR_COMPLAINTS and not self._socket.protocol.close_rcvd
        return f"a frame could not be read: {sent}" if ours else ""

    async def _exchange(
        self, message: str, enough: Callable[[], bool] = lambda: False
    ) -> tuple[Stop | None, str]:
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                await self._converse(message, enough)
        except TimeoutError:
            if complaint := self._complaint():
                return "protocol_violation", complaint
            return "answer_timeout", f"the final event did not come within {self._answer_timeout_s:g} s"
        except ConnectionClosed as closed:
            return _reading(closed)
        return None, ""

    async def _converse(self, message: str, enough: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        sent = loop.time()
        await self._socket.send(message)
        while not (self._conversation.ended or enough()):
            frame = await self._socket.recv()
            self._conversation.feed(frame, loop.time() - sent)

    async def _listen(self, seconds: float) -> None:
        with suppress(TimeoutError, ConnectionClosed):  # a lost connection shows on the next message
            async with asyncio.timeout(seconds):
                for _ in range(_MOST_STRAYS):
                    self._conversation.feed(await self._socket.recv())


def _reading(closed: ConnectionClosed) -> tuple[Stop, str]:
    if closed.sent and closed.sent.code in _OUR_COMPLAINTS and not closed.rcvd_then_sent:
        return "protocol_violation", f"a frame could not be read: {closed.sent}"
    return "closed", f"the server ended the session: {closed}"
