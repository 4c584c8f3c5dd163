"""Carry conversations over an open WebSocket, each wait with a deadline."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from runbook_lib.agent.conversation import Conversation, Stop
from runbook_lib.agent.template import filled
from runbook_lib.plan import Protocol
from runbook_lib.ports import Answer

CLOSE_TIMEOUT_S = 2.0
_STRAY_BEFORE_S = 0.001
_STRAY_AFTER_S = 0.03
_OUR_COMPLAINTS = (CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA, CloseCode.MESSAGE_TOO_BIG)


class WebSocketSession:
    """An open session; implements `ports.ChatSession`.

    Attributes:
        session_id: As the greeting or the first event gave it.
    """

    def __init__(
        self,
        socket: ClientConnection,
        protocol: Protocol,
        greeted: dict[str, Any],
        answer_timeout_s: float,
        clean: Callable[[str], str],
    ) -> None:
        self._socket, self._protocol, self._greeted, self._clean = socket, protocol, greeted, clean
        self._answer_timeout_s = answer_timeout_s
        self.session_id = Conversation(protocol, greeted, clean).session_id

    async def chat(self, content: str, agent: str) -> Answer:
        """Send one message and collect its answer; what goes wrong is told in it, not raised."""
        conversation = Conversation(self._protocol, self._greeted, self._clean)
        message = json.dumps(filled(self._protocol.message, content=content, agent=agent))
        await self._collect_strays(conversation, "before the message was sent", _STRAY_BEFORE_S)
        stop, detail = await self._exchange(conversation, message)
        if conversation.ended:
            # A final event that is sent twice shows only to somebody who goes on listening for a moment.
            await self._collect_strays(conversation, "after the end of the answer", _STRAY_AFTER_S)
        self.session_id = self.session_id or conversation.session_id
        return conversation.answer(stop, detail)

    async def close(self) -> None:
        """Close it; never raises."""
        with suppress(TimeoutError, OSError, ConnectionClosed):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._socket.close()
        self._socket.transport.abort()  # whatever the server still wants

    async def _exchange(self, conversation: Conversation, message: str) -> tuple[Stop | None, str]:
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                await self._converse(conversation, message)
        except TimeoutError:
            return "answer_timeout", f"the final event did not come within {self._answer_timeout_s:g} s"
        except ConnectionClosed as closed:
            return _reading(closed)
        return None, ""

    async def _converse(self, conversation: Conversation, message: str) -> None:
        loop = asyncio.get_running_loop()
        sent = loop.time()
        await self._socket.send(message)
        while not conversation.ended:
            frame = await self._socket.recv()
            conversation.feed(frame, loop.time() - sent)

    async def _collect_strays(self, conversation: Conversation, when: str, seconds: float) -> None:
        with suppress(TimeoutError, ConnectionClosed):  # a lost connection shows on the next message
            async with asyncio.timeout(seconds):
                while True:
                    conversation.stray(await self._socket.recv(), when)


def _reading(closed: ConnectionClosed) -> tuple[Stop, str]:
    if closed.sent and closed.sent.code in _OUR_COMPLAINTS and not closed.rcvd_then_sent:
        return "protocol_violation", f"a frame could not be read: {closed.sent}"
    return "closed", f"the server ended the session: {closed}"
