"""Make the probes' polls and sessions on one revision and bring back what came; judges and counts nothing."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from runbook_lib.dotted import at_path
from runbook_lib.errors import AgentError
from runbook_lib.evidence import HealthPoll, Role, Session
from runbook_lib.plan import Probes
from runbook_lib.plan.probes import Health
from runbook_lib.ports import LISTEN_S, ChatSession, HttpReply, Ports
from runbook_lib.sessions import Attempt, user_number
from runbook_lib.steps.clauses import Ground, Tried, try_clauses
from runbook_lib.steps.gauge import count_sessions

_POLL_SPACING_S = 0.2
_LONGEST_NAME = 100
_STARTS_AT_ONCE = 3
_LISTEN_AT_LAST_S = 0.3
_DRAIN_S, _DRAIN_SPACING_S = 3.0, 0.1
_TIMEOUTS = ("connect_timeout", "answer_timeout")
_GOES_ON_AFTER = ("answered", "agent_error")

Watch = Callable[[Session], None]
"""Is told each session of the probes when its answer came or failed to come."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the probes saw of one revision.

    Attributes:
        users: Sessions of the concurrent users, one record for each message.
        starts: Sessions that each started one agent.
        tried: Clauses about sessions and tokens.
        open_before: Open sessions that the service counted before the probes; None where it gave no count.
        open_after: The same after all of them had ended, and some time to notice it.
        revision: Name of the revision that should answer; empty where it is not known.
        logged: Requests to its URL in its own request log; None unless nothing else told who answered.
        absent: Why the revision was not probed; empty where it was.
    """

    role: Role
    polls: tuple[HealthPoll, ...] = ()
    golden_path: tuple[Session, ...] = ()
    users: tuple[Session, ...] = ()
    starts: tuple[Session, ...] = ()
    tried: tuple[Tried, ...] = ()
    open_before: int | None = None
    open_after: int | None = None
    revision: str = ""
    logged: int | None = None
    absent: str = ""

    @property
    def sessions(self) -> tuple[Session, ...]:
        """All sessions, probe by probe."""
        of_clauses = (session for clause in self.tried for session in clause.sessions)
        return (*self.golden_path, *self.users, *self.starts, *of_clauses)


@dataclass(frozen=True, kw_only=True)
class _Open:
    """An open session of `attempt`'s user."""

    attempt: Attempt
    chat: ChatSession
    connect_s: float

    async def say(self, attempt: Attempt, listen_s: float = LISTEN_S) -> Session:
        answer = await self.chat.chat(attempt.mark, attempt.agent, listen_s)
        return attempt.ended(answer, chat=self.chat, connect_s=self.connect_s)


class Prober:
    """Probes one revision.

    The golden path comes first and alone: a defect that needs several users must not show in it. The agent
    starts and the clauses run beside the concurrent users once those are connected, so that their handshakes
    do not mix. A probe that met a time-out starts nothing more: a service that hangs costs one time limit for
    each probe, not one for each session.
    """

    def __init__(
        self,
        role: Role,
        url: str,
        probes: Probes,
        ports: Ports,
        revision: str = "",
        watch: Watch | None = None,
    ) -> None:
        self._role, self._url, self._probes, self._ports = role, url, probes, ports
        self._revision, self._watch = revision, watch
        self._start_s = ports.clock.monotonic_s()
        self._users_connected = asyncio.Event()

    async def run(self) -> Seen:
        """Make all polls and sessions."""
        before = await count_sessions(self._probes, self._url, self._ports)
        polls, seen = await asyncio.gather(self._all_polls(), self._all_sessions())
        after = await self._drained(before)
        return dataclasses.replace(
            seen, polls=polls, open_before=before, open_after=after, revision=self._revision
        )

    async def _drained(self, before: int | None) -> int | None:
        """Return how many sessions stay open, as soon as there are no more than before."""
        deadline_s = self._now() + _DRAIN_S
        while True:
            after = await count_sessions(self._probes, self._url, self._ports)
            if before is None or after is None or after <= before or self._now() > deadline_s:
                return after
            await asyncio.sleep(_DRAIN_SPACING_S)

    async def _all_polls(self) -> tuple[HealthPoll, ...]:
        polls = (self._poll(number * _POLL_SPACING_S) for number in range(self._probes.health.polls))
        return tuple(await asyncio.gather(*polls))

    async def _poll(self, after_s: float) -> HealthPoll:
        await asyncio.sleep(after_s)
        at_s = self._now()
        reply = await self._ports.agents.get(self._url, self._probes.health.path)
        return health_poll(self._role, at_s, reply, self._probes.health)

    async def _all_sessions(self) -> Seen:
        golden_path = await self._golden_path()
        users, starts, tried = await asyncio.gather(
            self._concurrent_users(), self._agent_starts(), self._clauses()
        )
        return Seen(role=self._role, golden_path=golden_path, users=users, starts=starts, tried=tried)

    async def _clauses(self) -> tuple[Tried, ...]:
        await self._users_connected.wait()
        auth = self._probes.auth
        environment = self._ports.commands.environment if auth.expired_token_env else {}
        ground = Ground(
            role=self._role, url=self._url, probes=self._probes, agents=self._ports.agents,
            expired_token=environment.get(auth.expired_token_env or "", ""),
        )  # fmt: skip
        return await try_clauses(ground, self._users_of_probes())

    def _users_of_probes(self) -> int:
        starts = self._probes.starts_per_agent * len(self._probes.agents)
        return self._probes.golden_path_sessions + self._probes.concurrent_users + starts

    async def _golden_path(self) -> tuple[Session, ...]:
        made: list[Session] = []
        numbers = range(self._probes.golden_path_sessions)
        await self._one_by_one((self._attempt("golden-path", number, number) for number in numbers), made)
        return tuple(made)

    async def _agent_starts(self) -> tuple[Session, ...]:
        await self._users_connected.wait()
        made: list[Session] = []
        attempts = list(self._starts())
        first = self._probes.starts_per_agent // 2 * len(self._probes.agents)
        few = iter(attempts[:first])
        await asyncio.gather(*(self._one_by_one(few, made) for _ in range(_STARTS_AT_ONCE)))
        if not _timed_out(made):
            made += await self._all_at_once(attempts[first:])
        return tuple(sorted(made, key=lambda session: session.number))

    async def _all_at_once(self, attempts: list[Attempt]) -> list[Session]:
        """Send one message of each at the same moment, so that all agents are started together."""
        results = await asyncio.gather(*map(self._open, attempts))
        opened = [each for each in results if isinstance(each, _Open)]
        try:
            said = await asyncio.gather(*(self._say(each, each.attempt) for each in opened))
        finally:
            await asyncio.gather(*(each.chat.close() for each in opened))
        return [*(each for each in results if isinstance(each, Session)), *said]

    def _starts(self) -> Iterator[Attempt]:
        # Every kind in each round, so that a probe that stops early has seen something of all; each round in
        # another order, so that a defect that strikes every n-th time does not always strike the same kind.
        before = self._probes.golden_path_sessions + self._probes.concurrent_users
        kinds = self._probes.agents
        for number in range(self._probes.starts_per_agent * len(kinds)):
            kind = kinds[(number + number // len(kinds)) % len(kinds)]
            yield self._attempt("factory", number, before + number, kind)

    async def _concurrent_users(self) -> tuple[Session, ...]:
        first, rounds = self._probes.golden_path_sessions, self._probes.rounds
        users = range(self._probes.concurrent_users)
        attempts = [self._attempt("isolation", user * rounds, first + user) for user in users]
        results = await asyncio.gather(*map(self._open, attempts))
        self._users_connected.set()
        opened = [each for each in results if isinstance(each, _Open)]
        try:
            talked = await self._talk(opened)
        finally:
            await asyncio.gather(*(each.chat.close() for each in opened))
        return (*(each for each in results if isinstance(each, Session)), *talked)

    async def _talk(self, opened: list[_Open]) -> list[Session]:
        """Send one message of each user at the same time, for every round."""
        made: list[Session] = []
        for turn in range(self._probes.rounds):
            listen_s = _LISTEN_AT_LAST_S if turn == self._probes.rounds - 1 else LISTEN_S
            said = await asyncio.gather(
                *(self._say(each, _in_turn(each.attempt, turn), listen_s) for each in opened)
            )
            made += said
            if _timed_out(made):
                break
            opened = [
                each for each, session in zip(opened, said, strict=True) if session.status in _GOES_ON_AFTER
            ]
        return made

    async def _one_by_one(self, attempts: Iterator[Attempt], made: list[Session]) -> None:
        for attempt in attempts:
            made.append(await self._session(attempt))
            if _timed_out(made):
                return

    async def _session(self, attempt: Attempt) -> Session:
        opened = await self._open(attempt)
        if isinstance(opened, Session):
            return opened
        try:
            return await self._say(opened, opened.attempt)
        finally:
            await opened.chat.close()

    async def _say(self, opened: _Open, attempt: Attempt, listen_s: float = LISTEN_S) -> Session:
        return self._told(await opened.say(attempt, listen_s))

    def _told(self, session: Session) -> Session:
        if self._watch:
            self._watch(session)
        return session

    async def _open(self, attempt: Attempt) -> _Open | Session:
        attempt = dataclasses.replace(attempt, intended_s=self._now())
        try:
            token = await self._ports.agents.login(self._url, attempt.user)
        except AgentError as error:
            return self._told(attempt.login_failed(error))
        asked_s = self._now()
        try:
            chat = await self._ports.agents.connect(self._url, token)
        except AgentError as error:
            return self._told(attempt.not_connected(error))
        return _Open(attempt=attempt, chat=chat, connect_s=self._now() - asked_s)

    def _attempt(self, probe: str, number: int, user_index: int, agent: str = "") -> Attempt:
        user = user_number(self._role, user_index)
        return Attempt(
            probe=probe, role=self._role, number=number, user_number=user,
            user=self._probes.auth.user.replace("{n}", str(user)), agent=agent or self._probes.agents[0],
        )  # fmt: skip

    def _now(self) -> float:
        return self._ports.clock.monotonic_s() - self._start_s


def health_poll(role: Role, at_s: float, reply: HttpReply, health: Health) -> HealthPoll:
    """Return what one reply of the health endpoint says; a good one has neither failing nor detail."""
    components = at_path(reply.json, health.components_field)
    named = components if isinstance(components, dict) else {}
    failing = tuple(name for name, state in named.items() if at_path(state, "status") not in health.healthy)
    silent = health.components_field and not named  # a plan may say that there are none
    detail = reply.detail or (f"the answer names no {health.components_field}" if silent else "")
    told = at_path(reply.json, health.revision_field) if health.revision_field else None
    return HealthPoll(
        role=role, at_s=at_s, status=reply.status, failing=failing, detail=detail,
        revision=told[:_LONGEST_NAME] if isinstance(told, str) else "",
    )  # fmt: skip


def _in_turn(attempt: Attempt, turn: int) -> Attempt:
    return dataclasses.replace(attempt, number=attempt.number + turn, turn=turn + 1)


def _timed_out(sessions: list[Session]) -> bool:
    return any(session.status in _TIMEOUTS for session in sessions)
