"""Keep the users of a load: their tokens, and who is busy."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence

from runbook_lib.errors import AgentError, TurnTimeout
from runbook_lib.ports import Agents, LoadJob
from runbook_lib.sessions import Attempt

_LOGINS_AT_ONCE = 16


class Users:
    """Users who have logged in before the clock starts, so that logins spoil no connection time.

    Their tokens must outlive the load. They stay in this object.
    """

    def __init__(self, tokens: dict[str, str | AgentError], attempts: Sequence[Attempt]) -> None:
        self._tokens = tokens
        sessions = Counter(attempt.user for attempt in attempts)
        self._lines = {user: deque[Callable[[], None]]() for user, count in sessions.items() if count > 1}

    @classmethod
    async def log_in(cls, agents: Agents, job: LoadJob, attempts: Sequence[Attempt], limit_s: float) -> Users:
        """Log each user in once; a service that hangs costs `limit_s` in all."""
        free = asyncio.Semaphore(_LOGINS_AT_ONCE)
        deadline = asyncio.get_running_loop().time() + limit_s
        one_of = {attempt.user: attempt for attempt in attempts}

        async def one(attempt: Attempt) -> str | AgentError:
            try:
                async with asyncio.timeout_at(deadline), free:
                    return await agents.login(job.urls[attempt.role], attempt.user)
            except TimeoutError:
                return TurnTimeout("the login before the load", limit_s)
            except AgentError as error:
                return error

        tokens = await asyncio.gather(*map(one, one_of.values()))
        return cls(dict(zip(one_of, tokens, strict=True)), attempts)

    def token(self, user: str) -> str | AgentError:
        """Return a user's token, or why there is none."""
        return self._tokens[user]

    def in_turn(self, user: str, begin: Callable[[], None]) -> None:
        """Begin a session as soon as none of the user's is open."""
        line = self._lines.get(user)
        if line is None:  # who comes once
            return begin()
        line.append(begin)
        return begin() if len(line) == 1 else None

    def leave(self, user: str) -> None:
        """Take that a user's session has ended; the next one begins soon."""
        if line := self._lines.get(user):
            line.popleft()
            if line:
                asyncio.get_running_loop().call_soon(line[0])
