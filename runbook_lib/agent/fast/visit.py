"""Go through a session of one message: nobody waits for it, so that it takes no task and no future."""

from __future__ import annotations

import time

from runbook_lib.agent.engine import Call
from runbook_lib.agent.fast.route import Route
from runbook_lib.agent.fast.session import FastSession, guarded
from runbook_lib.agent.fast.wire import Wire
from runbook_lib.ports import Answer, Visit, VisitEnded


class FastVisit(FastSession):
    """A session that connects, chats once and closes.

    Goodbye is said as listening ends: many do at the same time, and wake the server once.

    Args:
        call, route, wire: See `FastSession`.
        message: What is said, and which agent is asked.
        ended: See `ports.Agents.visit`.
    """

    def __init__(
        self, call: Call, route: Route, wire: Wire, message: tuple[str, str], ended: VisitEnded
    ) -> None:
        super().__init__(call, route, wire)
        self._message, self._tell = message, ended
        self._opened_s = 0.0
        self._answer: Answer | None = None
        self._told = False
        self._connect()

    def _succeed(self) -> None:
        self._open, self._opened_s = True, time.monotonic()
        self._cancel_timer()
        self._ask_first(*self._message)

    def go_wrong(self, error: Exception) -> None:
        """See `FastSession`."""
        if self._told:
            raise error
        self._end(error)

    def _fail(self, error: Exception) -> None:
        if not self._open and not self._told:
            self._end(self._call.told(error))

    def _heard_out(self) -> None:
        self._say_goodbye()

    @guarded
    def _wake(self) -> None:
        if self._told or not self._asked:
            return
        self._cancel_timer()
        if self._answer is None:
            self._answer = self._conversation.answer(*self._outcome())
            if self._owes_goodbye():
                self._say_goodbye()
                return
        visit = Visit(
            opened_s=self._opened_s, answer=self._answer,
            session_id=self.session_id, user_id=self.user_id, revision=self.revision,
        )  # fmt: skip
        self._end(visit)

    def _end(self, visit: Visit | Exception) -> None:
        self._told = True
        self._cancel_timer()
        self._connection.abort()
        self._tell(visit)
