"""Make the sessions of one share of a load, each when its time comes, however many are still open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from operator import attrgetter

from runbook_lib.agent.load.attempts import attempts_of
from runbook_lib.agent.load.garbage import collecting_rarely
from runbook_lib.agent.load.users import Users
from runbook_lib.errors import AgentError
from runbook_lib.evidence import Role, Session
from runbook_lib.evidence.load_figures import Counting, LoadWatch, Tally
from runbook_lib.plan import Probes
from runbook_lib.ports import Agents, LoadJob, Visit
from runbook_lib.sessions import Attempt

_TELL_EVERY_S = 0.5
_TIMER_S = 0.001  # what event loops' timers are exact to


async def make_sessions(
    agents: Agents, job: LoadJob, probes: Probes, watch: LoadWatch, max_open: int, called_s: float
) -> tuple[Session, ...]:
    """Make all sessions of `job` and return one record each, in order of their intended start.

    The times in the records count from `called_s`, in seconds since the epoch: whatever came before the first
    session, logins too, is in them.
    """
    with collecting_rarely():
        return await _made(agents, job, probes, watch, max_open, called_s)


async def _made(
    agents: Agents, job: LoadJob, probes: Probes, watch: LoadWatch, max_open: int, called_s: float
) -> tuple[Session, ...]:
    attempts = attempts_of(job, probes)
    users = await Users.log_in(agents, job, attempts, limit_s=2 * probes.connect_timeout_s)
    arriving = _Arriving(agents, job, users, max_open, after_s=max(0.0, time.time() - called_s))
    telling = asyncio.create_task(arriving.tell(watch))
    try:
        return tuple(await arriving.run(attempts))
    finally:
        telling.cancel()
        watch(arriving.tallies())


class _Arriving:
    """One share under way, whose first session is due now, `after_s` after it was called for."""

    def __init__(self, agents: Agents, job: LoadJob, users: Users, max_open: int, after_s: float) -> None:
        self._agents, self._job, self._users, self._max_open = agents, job, users, max_open
        self._start, self._after_s = time.monotonic(), after_s
        self._counting = {role: Counting() for role in job.urls}
        self._made: list[Session] = []
        self._open, self._awaited = 0, 0
        self._fewer: asyncio.Future[None] | None = None
        self._wrong: Exception | None = None

    async def run(self, attempts: Sequence[Attempt]) -> list[Session]:
        # Sessions go on by themselves: with a task for each they took 6 % more of the processor.
        async with asyncio.TaskGroup() as self._tasks:
            for attempt in attempts:
                await self._until(attempt.intended_s)
                await self._until_open(self._max_open - 1)
                self._open += 1
                self._users.in_turn(attempt.user, partial(self._begin, attempt))
            await self._until_open(0)
        return sorted(self._made, key=attrgetter("intended_s"))

    async def tell(self, watch: LoadWatch) -> None:
        """Tell of what was counted, until cancelled."""
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            watch(self.tallies())

    def tallies(self) -> dict[Role, Tally]:
        """Return what was counted so far."""
        return {role: counting.tally() for role, counting in self._counting.items()}

    async def _until(self, at_s: float) -> None:
        """Return at that moment; the last part of a millisecond is waited out by looking at the clock."""
        while (left_s := self._start + at_s - time.monotonic()) > 0:
            await asyncio.sleep(max(0.0, left_s - _TIMER_S))

    async def _until_open(self, at_most: int) -> None:
        """Return as soon as no more sessions than that are open; raise what is wrong with us."""
        if self._open > at_most and self._wrong is None:
            self._awaited, self._fewer = at_most, asyncio.get_running_loop().create_future()
            await self._fewer
        if self._wrong is not None:
            raise self._wrong

    def _begin(self, attempt: Attempt) -> None:
        self._counting[attempt.role].started()
        token, due_s = self._users.token(attempt.user), self._start + attempt.intended_s
        if isinstance(token, AgentError):
            attempt.begin(self._after_s, lag_s=0.0)
            return self._end(attempt, attempt.login_failed(token))
        attempt.begin(self._after_s, lag_s=max(0.0, time.monotonic() - due_s))
        if self._job.http_paths:
            self._tasks.create_task(self._with_requests(attempt, token, due_s))
            return None
        ended, url = partial(self._visited, attempt, due_s), self._job.urls[attempt.role]
        try:
            self._agents.visit(url, token, attempt.mark, attempt.agent, ended)
        except Exception as error:
            ended(error)
        return None

    def _visited(self, attempt: Attempt, due_s: float, visit: Visit | Exception) -> None:
        try:
            if isinstance(visit, Visit):
                session = attempt.ended(visit.answer, chat=visit, connect_s=visit.opened_s - due_s)
            elif isinstance(visit, AgentError):
                session = attempt.not_connected(visit)
            else:
                raise visit
            self._end(attempt, session)
        except Exception as error:  # it is wrong with us: nobody waits for a visit, so it has to end the load
            self._wrong = error
            self._wake()

    def _end(self, attempt: Attempt, session: Session) -> None:
        self._counting[attempt.role].ended(session)
        self._made.append(session)
        self._users.leave(attempt.user)
        self._open -= 1
        if self._open <= self._awaited:
            self._wake()

    def _wake(self) -> None:
        if self._fewer and not self._fewer.done():
            self._fewer.set_result(None)

    async def _with_requests(self, attempt: Attempt, token: str, due_s: float) -> None:
        """Make a session that makes the job's requests before it closes."""
        try:
            chat = await self._agents.connect(self._job.urls[attempt.role], token)
        except AgentError as error:
            return self._end(attempt, attempt.not_connected(error))
        connect_s = time.monotonic() - due_s
        try:
            answer = await chat.chat(attempt.mark, attempt.agent)
            detail = await self._trouble(attempt.role, token)
        finally:
            await chat.close()
        return self._end(attempt, attempt.ended(answer, chat=chat, connect_s=connect_s, detail=detail))

    async def _trouble(self, role: Role, token: str) -> str:
        return "; ".join(filter(None, [await self._get(role, path, token) for path in self._job.http_paths]))

    async def _get(self, role: Role, path: str, token: str) -> str:
        reply = await self._agents.get(self._job.urls[role], path, token)
        fine = reply.status is not None and reply.status < 400
        return "" if fine else f"GET {path} answered {reply.status or 'nothing'}: {reply.detail}"
