"""What clauses are written with: users who log in, enter, talk, and note what became of each message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from runbook_lib.errors import HandshakeRejected, ProtocolViolation, TurnTimeout
from runbook_lib.evidence import Role, Session
from runbook_lib.plan import Probes
from runbook_lib.ports import Agents, ChatSession, Offer
from runbook_lib.sessions import Attempt, user_number

USERS_EACH = 2
LISTEN_S = 0.3
"""So long do those listen who must not hear anything any more."""


class Broken(Exception):
    """The promise was broken; the text says how."""


class NotApplicable(Exception):
    """The promise means nothing for this service; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where clauses are tried. `expired_token` is the one that the environment holds, if any."""

    role: Role
    url: str
    probes: Probes
    agents: Agents
    expired_token: str = ""


class Trial:
    """One clause being tried on one revision, by two test users of its own, 0 and 1.

    Args:
        clause: Its name.
        first: Which test users, as an index among the role's.
        ground: Where.

    Attributes:
        expired_token: As in `Ground`.
        sessions: A record of each message that was sent, for whoever looks for leaks.
    """

    def __init__(self, clause: str, first: int, ground: Ground) -> None:
        self._clause, self._first, self._url = clause, first, ground.url
        self.role = ground.role
        self._agents, self.probes = ground.agents, ground.probes
        self.expired_token = ground.expired_token
        self.sessions: list[Session] = []
        self._sent_by: dict[str, ChatSession] = {}

    async def log_in(self, user: int = 0, more: Mapping[str, JsonValue] | None = None) -> str:
        """Return a token of one of the two users."""
        return await self._agents.login(self._url, self._attempt(user).user, more)

    async def enter(self, token: str, path: str = "") -> ChatSession:
        """Open a session as the plan says, at another path if one is given."""
        return await self._agents.connect(self._url, token, self.offer(path=path) if path else None)

    async def ask(self, chat: ChatSession, user: int = 0, listen_s: float = LISTEN_S) -> Session:
        """Send one message and note what came.

        Raises:
            Broken: If it was not answered as it should.
        """
        attempt = self._attempt(user, turn=len(self._sent_by) + 1)
        self._sent_by[attempt.mark] = chat
        answer = await chat.chat(attempt.mark, attempt.agent, listen_s)
        session = attempt.ended(answer, chat=chat, connect_s=0.0)
        self.sessions.append(session)
        self._check_own(session, chat, answer.text)
        return session

    def _check_own(self, session: Session, chat: ChatSession, text: str) -> None:
        """Check that an answer is this session's, all of it; its events' form is not a clause's matter."""
        if session.status != "answered" or session.detail:
            raise Broken(f"{session.user}: {session.status.replace('_', ' ')}: {session.detail}")
        others = [mark for mark, sender in self._sent_by.items() if sender is not chat and mark in text]
        if others:
            raise Broken(f"the session that sent {session.mark} received {others[0]}, too")

    async def drop(self, chat: ChatSession, user: int = 0) -> None:
        """Send one message and vanish in the middle of its answer; what is cut off is nobody's fault."""
        attempt = self._attempt(user, turn=len(self._sent_by) + 1)
        self._sent_by[attempt.mark] = chat
        answer = await chat.drop(attempt.mark, attempt.agent)
        session = attempt.ended(answer, chat=chat, connect_s=0.0)
        if session.foreign_marks or session.foreign_ids:
            self.sessions.append(session)

    async def log_out(self, token: str) -> None:
        """End a token.

        Raises:
            HandshakeRejected: If the service does not do it.
        """
        path = self.probes.auth.logout_path or ""
        reply = await self._agents.post(self._url, path, token)
        if reply.status is None or reply.status >= 400:
            raise HandshakeRejected(path, reply.status, reply.detail)

    async def must_be_refused(self, token: str, offer: Offer | None = None) -> None:
        """Try to enter, which has to fail, and in the right way.

        Raises:
            Broken: If the service lets it in, fails itself, or hangs.
        """
        try:
            chat = await self._agents.connect(self._url, token, offer)
        except HandshakeRejected as refusal:
            return _check_refusal(refusal)
        except ProtocolViolation:
            return None  # an error instead of the greeting
        except TurnTimeout as late:
            raise Broken(f"was neither let in nor refused: {late}") from late
        try:
            await self._check_inside(chat)
        finally:
            await chat.close()

    def offer(
        self, path: str = "", subprotocols: tuple[str, ...] | None = None, headers: bool = True
    ) -> Offer:
        """Return what a handshake says; what is not given is as the plan says."""
        plan = self.probes.protocol
        return Offer(
            path=path or plan.path,
            subprotocols=plan.subprotocols if subprotocols is None else subprotocols,
            headers=plan.headers if headers else {},
        )

    async def _check_inside(self, chat: ChatSession) -> None:
        """Without a greeting, only an answer says that one has been let in."""
        if self.probes.protocol.greeting is not None:
            raise Broken("was let in")
        attempt = self._attempt(0)
        answer = await chat.chat(attempt.mark, attempt.agent)
        if answer.status == "answered":
            raise Broken("was let in and answered")

    def _attempt(self, user: int, turn: int = 1) -> Attempt:
        number = user_number(self.role, self._first + user)
        return Attempt(
            probe=self._clause, role=self.role, number=turn - 1, user_number=number, turn=turn,
            user=self.probes.auth.user.replace("{n}", str(number)), agent=self.probes.agents[0],
        )  # fmt: skip


def _check_refusal(refusal: HandshakeRejected) -> None:
    if refusal.status is None or refusal.status >= 500:
        raise Broken(f"was not refused but met a failure: {refusal}") from refusal
