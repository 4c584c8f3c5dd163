"""Make the sessions of one share of a load, each when its time comes, however many are still open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from operator import attrgetter

from runbook_lib.agent.load.attempts import attempts_of
from runbook_lib.agent.load.garbage import collecting_rarely
from runbook_lib.agent.load.users import Users
from runbook_lib.errors import AgentError
from runbook_lib.evidence import Role, Session
from runbook_lib.evidence.load_figures import Counting, LoadWatch, Tally
from runbook_lib.plan import Probes
from runbook_lib.ports import Agents, LoadJob
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
        self._agents, self._job, self._users = agents, job, users
        self._start, self._after_s = time.monotonic(), after_s
        self._places = asyncio.Semaphore(max_open)
        self._counting = {role: Counting() for role in job.urls}

    async def run(self, attempts: Sequence[Attempt]) -> list[Session]:
        # Tasks are made as their time comes and let go as they end, so that only open sessions cost memory.
        made: list[Session] = []
        async with asyncio.TaskGroup() as group:
            for attempt in attempts:
                await self._until(attempt.intended_s)
                await self._places.acquire()
                group.create_task(self._counted(attempt, made))
        return sorted(made, key=attrgetter("intended_s"))

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

    async def _counted(self, attempt: Attempt, made: list[Session]) -> None:
        counting = self._counting[attempt.role]
        try:
            async with self._users.turn(attempt.user):
                counting.started()
                session = await self._session(attempt)
                counting.ended(session)
                made.append(session)
        finally:
            self._places.release()

    async def _session(self, attempt: Attempt) -> Session:
        token, due = self._users.token(attempt.user), self._start + attempt.intended_s
        if isinstance(token, AgentError):
            attempt.begin(self._after_s, lag_s=0.0)
            return attempt.login_failed(token)
        attempt.begin(self._after_s, lag_s=max(0.0, time.monotonic() - due))
        try:
            if self._job.http_paths:
                return await self._with_requests(attempt, token, due)
            url = self._job.urls[attempt.role]
            visit = await self._agents.visit(url, token, attempt.mark, attempt.agent)
        except AgentError as error:
            return attempt.not_connected(error)
        return attempt.ended(visit.answer, chat=visit.chat, connect_s=visit.opened_s - due)

    async def _with_requests(self, attempt: Attempt, token: str, due: float) -> Session:
        """Make a session that makes the job's requests before it closes."""
        chat = await self._agents.connect(self._job.urls[attempt.role], token)
        connect_s = time.monotonic() - due
        try:
            answer = await chat.chat(attempt.mark, attempt.agent)
            detail = await self._trouble(attempt.role, token)
            return attempt.ended(answer, chat=chat, connect_s=connect_s, detail=detail)
        finally:
            await chat.close()

    async def _trouble(self, role: Role, token: str) -> str:
        return "; ".join(filter(None, [await self._get(role, path, token) for path in self._job.http_paths]))

    async def _get(self, role: Role, path: str, token: str) -> str:
        reply = await self._agents.get(self._job.urls[role], path, token)
        fine = reply.status is not None and reply.status < 400
        return "" if fine else f"GET {path} answered {reply.status or 'nothing'}: {reply.detail}"
