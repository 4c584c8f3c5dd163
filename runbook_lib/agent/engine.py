"""Say what an engine is: it carries sessions over WebSocket. Each one passes the same tests (tests/agent)."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Protocol

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.frames import CloseCode
from websockets.protocol import Protocol as FrameProtocol

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import Conversation, Stop
from runbook_lib.errors import AgentError, HandshakeRejected, TurnTimeout
from runbook_lib.light_record import light_record
from runbook_lib.ports import ChatSession, VisitEnded

MAX_MESSAGE_BYTES = 1024 * 1024
CLOSE_TIMEOUT_S = 2.0
LISTEN_BEFORE_S = 0.001
"""So long does a session listen before its first message, for what should not come yet."""
MOST_STRAYS = 1000
"""Messages that belong to no answer and are taken; of more nobody learns anything."""
NOT_OPENED = (AgentError, WebSocketException, OSError, ValueError)
"""What it looks like where a session cannot be opened; anything else is wrong with us."""
_SWITCHING_PROTOCOLS = 101
_LONGEST_DETAIL = 200
_OUR_COMPLAINTS = (CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA, CloseCode.MESSAGE_TOO_BIG)


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where sessions are opened and how: the same for every user.

    Attributes:
        url: `ws://…` or `wss://…`.
        path: What it is called in errors; without a query, which may hold the token.
        selects: Whether the first subprotocol that is offered has to be selected; else any or none may be.
        greeting: Type of the frame that the server sends first; None for none.
        tls: The certificates to trust; None for `ws://`.
    """

    url: str
    path: str
    selects: bool
    user_agent: str
    greeting: str | None
    connect_timeout_s: float
    answer_timeout_s: float
    tls: ssl.SSLContext | None


@light_record
class Call:
    """A session that is to be opened. It never shows its token: `subprotocols` and `headers` hold it.

    Attributes:
        subprotocols: Offered.
        conversation: Takes the frames.
        clean: Takes secrets out of text.
    """

    _: KW_ONLY
    target: Target
    subprotocols: tuple[str, ...] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    conversation: Conversation = field(repr=False)
    clean: Callable[[str], str] = field(repr=False)

    def check_subprotocol(self, selected: str | None) -> None:
        """Refuse a server that selected another subprotocol than the first one.

        Raises:
            HandshakeRejected: If it did.
        """
        if self.target.selects and self.subprotocols and selected != self.subprotocols[0]:
            raise self.broken(f"did not select the subprotocol {self.subprotocols[0]}")

    def told(self, error: Exception) -> AgentError:
        """Return what an error of opening it means; of its words, what may hold a secret is left out."""
        if isinstance(error, AgentError):
            return error
        if isinstance(error, TimeoutError):
            return TurnTimeout(f"the session on {self.target.path}", self.target.connect_timeout_s)
        if isinstance(error, InvalidStatus):
            response = error.response
            body = self.clean((response.body or b"").decode(errors="replace").strip())[:_LONGEST_DETAIL]
            return HandshakeRejected(self.target.path, response.status_code, body or response.reason_phrase)
        return HandshakeRejected(self.target.path, None, self.clean(f"{type(error).__name__}: {error}"))

    def lost(self, closed: ConnectionClosed) -> HandshakeRejected:
        """Return the error of a session that ended before its greeting."""
        return self.broken(self.clean(f"lost the connection before {self.target.greeting}: {closed}"))

    def broken(self, detail: str) -> HandshakeRejected:
        """Return the error of a handshake that was accepted and came to nothing."""
        return HandshakeRejected(self.target.path, _SWITCHING_PROTOCOLS, detail)


class Engine(Protocol):
    """Carries sessions."""

    def conversation(self, contract: Contract, clean: Callable[[str], str]) -> Conversation:
        """Return what takes a new session's frames."""
        ...

    async def open(self, call: Call) -> ChatSession:
        """Open a session; the greeting, if there is one, has been received.

        Raises:
            AgentError: If it cannot be opened, as `Call.told` says it.
        """
        ...

    def visit(self, call: Call, content: str, agent: str, ended: VisitEnded) -> None:
        """Begin a session that chats once and closes; see `ports.Agents`."""
        ...

    def close(self) -> None:
        """End all sessions at once."""
        ...


def complaint(frames: FrameProtocol) -> str:
    """Return what was wrong with a frame that websockets could not read; empty if it could read all."""
    sent = frames.close_sent
    ours = sent is not None and sent.code in _OUR_COMPLAINTS and not frames.close_rcvd
    return f"a frame could not be read: {sent}" if ours else ""


def reading(closed: ConnectionClosed) -> tuple[Stop, str]:
    """Say what the end of a connection means for the answer that was under way."""
    if closed.sent and closed.sent.code in _OUR_COMPLAINTS and not closed.rcvd_then_sent:
        return "protocol_violation", f"a frame could not be read: {closed.sent}"
    return "closed", f"the server ended the session: {closed}"
