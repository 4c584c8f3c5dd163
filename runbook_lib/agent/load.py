"""Make sessions that arrive by themselves, as users do: an open model, which a slow service cannot slow down.

They come in pairs, one on each revision at almost the same time, so that what disturbs one disturbs both.
All users log in before the clock starts, so that logins spoil no connection time; their tokens must outlive
the load. Each session then starts when its Poisson process says so, however many are still open.
"""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import random
from collections.abc import Iterator
from urllib.parse import urlsplit

from runbook_lib.errors import AgentError, RunRefused, TurnTimeout
from runbook_lib.evidence import Role, Session
from runbook_lib.plan import Probes
from runbook_lib.ports import Agents, ChatSession, LoadJob
from runbook_lib.sessions import Attempt, user_number

_LOGINS_AT_ONCE = 16


async def run_load(agents: Agents, job: LoadJob, probes: Probes) -> tuple[Session, ...]:
    """Make all sessions of `job` and return one record each, in order of their intended start.

    The times in the records count from this call, the logins before the first session included.

    Raises:
        RunRefused: If a host is neither this machine nor in the plan's `load.allow_hosts`.
    """
    for url in job.urls.values():
        refuse_strangers(url, probes.load.allow_hosts)
    called, attempts = asyncio.get_running_loop().time(), schedule(job, probes)
    tokens = await _log_in(agents, job, attempts, limit_s=2 * probes.connect_timeout_s)
    waited_s = asyncio.get_running_loop().time() - called
    late = [dataclasses.replace(each, intended_s=each.intended_s + waited_s) for each in attempts]
    return tuple(await _Arrivals(agents, job, called).run(late, tokens))


def refuse_strangers(url: str, allow_hosts: tuple[str, ...]) -> None:
    """Refuse to load a host that is not this machine, unless the plan allows it or its service.

    Raises:
        RunRefused: If the plan does not.
    """
    host = urlsplit(url).hostname or ""
    service = host.rpartition("---")[2]  # Cloud Run's tag URLs are TAG---SERVICE
    if not (_is_this_machine(host) or {host, service} & set(allow_hosts)):
        raise RunRefused(f"load on {host} is refused: add {service} to probes.load.allow_hosts of the plan")


def schedule(job: LoadJob, probes: Probes) -> tuple[Attempt, ...]:
    """Return the sessions of all roles in order of their intended start; a pair shares its number."""
    return tuple(sorted(_arrivals(job, probes), key=lambda attempt: attempt.intended_s))


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _arrivals(job: LoadJob, probes: Probes) -> Iterator[Attempt]:
    """Yield the pairs of a Poisson process; by lot, one of the two comes half a mean gap after the other."""
    lots = random.Random(f"{job.seed} {job.first}")  # noqa: S311 - repeatable on purpose
    arrival_s = 0.0
    for number in range(job.first, job.first + job.sessions):
        arrival_s += lots.expovariate(job.rate_per_s)
        order = lots.sample(sorted(job.urls), len(job.urls))
        for place, role in enumerate(order):
            user = user_number(role, number)
            yield Attempt(
                probe="load", role=role, number=number, user_number=user, agent=probes.agents[0],
                user=probes.auth.user.replace("{n}", str(user)),
                intended_s=arrival_s + place / (2 * job.rate_per_s),
            )  # fmt: skip


async def _log_in(
    agents: Agents, job: LoadJob, attempts: tuple[Attempt, ...], limit_s: float
) -> list[str | AgentError]:
    """Return each attempt's token, or why it has none; a service that hangs costs `limit_s` in all."""
    free = asyncio.Semaphore(_LOGINS_AT_ONCE)
    deadline = asyncio.get_running_loop().time() + limit_s

    async def one(attempt: Attempt) -> str | AgentError:
        try:
            async with asyncio.timeout_at(deadline), free:
                return await agents.login(job.urls[attempt.role], attempt.user)
        except TimeoutError:
            return TurnTimeout("the login before the load", limit_s)
        except AgentError as error:
            return error

    return await asyncio.gather(*map(one, attempts))


class _Arrivals:
    """One load under way; `start` is what its times count from, on the loop's clock."""

    def __init__(self, agents: Agents, job: LoadJob, start: float) -> None:
        self._agents, self._job, self._start = agents, job, start

    async def run(self, attempts: list[Attempt], tokens: list[str | AgentError]) -> list[Session]:
        # Tasks are made as their time comes, so that only open sessions cost memory.
        tasks = []
        async with asyncio.TaskGroup() as group:
            for attempt, token in zip(attempts, tokens, strict=True):
                await asyncio.sleep(self._start + attempt.intended_s - self._time())
                tasks.append(group.create_task(self._session(attempt, token)))
        return [task.result() for task in tasks]

    async def _session(self, attempt: Attempt, token: str | AgentError) -> Session:
        if isinstance(token, AgentError):
            return attempt.login_failed(token)
        due = self._start + attempt.intended_s
        attempt = dataclasses.replace(attempt, lag_s=max(0.0, self._time() - due))
        try:
            chat = await self._agents.connect(self._job.urls[attempt.role], token)
        except AgentError as error:
            return attempt.not_connected(error)
        connect_s = self._time() - due
        try:
            return await self._use(chat, attempt, token, connect_s)
        finally:
            await chat.close()

    async def _use(self, chat: ChatSession, attempt: Attempt, token: str, connect_s: float) -> Session:
        answer = await chat.chat(attempt.mark, attempt.agent)
        trouble = [await self._get(attempt.role, path, token) for path in self._job.http_paths]
        detail = "; ".join(filter(None, trouble))
        return attempt.ended(answer, session_id=chat.session_id, connect_s=connect_s, detail=detail)

    async def _get(self, role: Role, path: str, token: str) -> str:
        reply = await self._agents.get(self._job.urls[role], path, token)
        fine = reply.status is not None and reply.status < 400
        return "" if fine else f"GET {path} answered {reply.status or 'nothing'}: {reply.detail}"

    def _time(self) -> float:
        return asyncio.get_running_loop().time()
