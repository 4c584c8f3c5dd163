"""Make the sessions of one share of a load, each when its time comes, however many are still open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from runbook_lib.agent.load.attempts import attempts_of
from runbook_lib.agent.load.garbage import collecting_rarely
from runbook_lib.agent.load.users import Users
from runbook_lib.errors import AgentError
from runbook_lib.evidence import Role, Session
from runbook_lib.evidence.load_figures import Counting, LoadWatch, Tally
from runbook_lib.plan import Probes
from runbook_lib.ports import Agents, ChatSession, LoadJob
from runbook_lib.sessions import Attempt

_TELL_EVERY_S = 0.5
_TIMER_S = 0.001  # what event loops' timers are exact to


async def make_sessions(
    agents: Agents, job: LoadJob, probes: Probes, watch: LoadWatch, max_open: int
) -> tuple[Session, ...]:
    """Make all sessions of `job` and return one record each, in order of their intended start.

    The times in the records count from this call, the logins before the first session included.
    """
    with collecting_rarely():
        return await _made(agents, job, probes, watch, max_open)


async def _made(
    agents: Agents, job: LoadJob, probes: Probes, watch: LoadWatch, max_open: int
) -> tuple[Session, ...]:
    called, attempts = time.monotonic(), attempts_of(job, probes)
    users = await Users.log_in(agents, job, attempts, limit_s=2 * probes.connect_timeout_s)
    waited_s = time.monotonic() - called
    arriving = _Arriving(agents, job, users, called, waited_s, max_open)
    telling = asyncio.create_task(arriving.tell(watch))
    try:
        return tuple(await arriving.run(attempts))
    finally:
        telling.cancel()
        watch(arriving.tallies())


class _Arriving:
    """One share under way, whose first session is due `waited_s` after it was called for."""

    def __init__(
        self, agents: Agents, job: LoadJob, users: Users, called: float, waited_s: float, max_open: int
    ) -> None:
        self._agents, self._job, self._users = agents, job, users
        self._start, self._waited_s = called + waited_s, waited_s  # `_start` is on the monotonic clock
        self._places = asyncio.Semaphore(max_open)
        self._counting = {role: Counting() for role in job.urls}

    async def run(self, attempts: Sequence[Attempt]) -> list[Session]:
        # Tasks are made as their time comes, so that only open sessions cost memory.
        tasks = []
        async with asyncio.TaskGroup() as group:
            for attempt in attempts:
                await self._until(attempt.intended_s)
                await self._places.acquire()
                tasks.append(group.create_task(self._counted(attempt)))
        return [task.result() for task in tasks]

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

    async def _counted(self, attempt: Attempt) -> Session:
        counting = self._counting[attempt.role]
        try:
            async with self._users.turn(attempt.user):
                counting.started()
                session = await self._session(attempt)
                counting.ended(session)
                return session
        finally:
            self._places.release()

    async def _session(self, attempt: Attempt) -> Session:
        token, due = self._users.token(attempt.user), self._start + attempt.intended_s
        if isinstance(token, AgentError):
            return attempt.begun(self._waited_s, lag_s=0.0).login_failed(token)
        attempt = attempt.begun(self._waited_s, lag_s=max(0.0, time.monotonic() - due))
        try:
            chat = await self._agents.connect(self._job.urls[attempt.role], token)
        except AgentError as error:
            return attempt.not_connected(error)
        connect_s = time.monotonic() - due
        try:
            return await self._use(chat, attempt, token, connect_s)
        finally:
            await chat.close()

    async def _use(self, chat: ChatSession, attempt: Attempt, token: str, connect_s: float) -> Session:
        answer = await chat.chat(attempt.mark, attempt.agent)
        trouble = [await self._get(attempt.role, path, token) for path in self._job.http_paths]
        detail = "; ".join(filter(None, trouble))
        return attempt.ended(answer, chat=chat, connect_s=connect_s, detail=detail)

    async def _get(self, role: Role, path: str, token: str) -> str:
        reply = await self._agents.get(self._job.urls[role], path, token)
        fine = reply.status is not None and reply.status < 400
        return "" if fine else f"GET {path} answered {reply.status or 'nothing'}: {reply.detail}"
