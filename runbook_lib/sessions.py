"""Name the sessions that probes and load make, and record how each one ended; makes none itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from runbook_lib.errors import AgentError, ProtocolViolation, TurnTimeout
from runbook_lib.evidence import ROLES, Role, Session
from runbook_lib.ports import Answer, ChatSession, Visit

# The literal first, so that it is searched for as one; within bounds, so that hostile text costs linear time.
_MARKS = tuple(
    re.compile(rf"{role}(?<!\w{role})-[a-z]{{1,40}}(?:-[a-z]{{1,40}}){{0,7}}-u(\d{{1,9}})t\d{{1,9}}\b")
    for role in ROLES
)
_MOST_FOREIGN_MARKS = 20
OUR_AGENT = "runbook/"
"""Begins the user agent of every request that a run makes; the run's id follows."""
WRONG_AGENT = "the agent that answered was"


@dataclass(kw_only=True, slots=True)
class Attempt:
    """One session that is made, with one message.

    Attributes:
        user_number: The number in the user's name; it also says whose a mark is.
        turn: Which message of this user it sends, from 1.
        intended_s: Seconds after the probe's start at which it is meant to start.
        lag_s: How much later the client was.
        mark: The unique text to send, e.g. `candidate-load-u17t1`.
    """

    probe: str
    role: Role
    number: int
    user_number: int
    user: str
    agent: str
    turn: int = 1
    intended_s: float = 0.0
    lag_s: float = 0.0
    mark: str = field(init=False)

    def __post_init__(self) -> None:
        self.mark = f"{self.role}-{self.probe}-u{self.user_number}t{self.turn}"

    def begin(self, after_s: float, lag_s: float) -> None:
        """Begin it, in a load that started `after_s` late; the client itself was late by `lag_s`."""
        self.intended_s += after_s
        self.lag_s = lag_s

    def login_failed(self, error: AgentError) -> Session:
        """Return the record of a session that got no token."""
        return self._session(status="login_failed", detail=str(error))

    def not_connected(self, error: AgentError) -> Session:
        """Return the record of a session that was not opened."""
        if isinstance(error, ProtocolViolation):
            return self._session(status="protocol_violation", violations=(str(error),), detail=str(error))
        status = "connect_timeout" if isinstance(error, TurnTimeout) else "handshake_rejected"
        return self._session(status=status, detail=str(error))

    def ended(
        self, answer: Answer, *, chat: ChatSession | Visit, connect_s: float, detail: str = ""
    ) -> Session:
        """Return the record of a session that was opened; `detail` is trouble outside of the answer."""
        marks = _marks_in(answer.text)
        return self._session(
            status=answer.status,
            connect_s=connect_s,
            answer_s=answer.answer_s,
            session_id=chat.session_id,
            user_id=chat.user_id,
            revision=chat.revision,
            foreign_marks=self._foreign(marks),
            foreign_ids=answer.foreign_ids,
            violations=answer.violations,
            events=answer.events,
            detail=answer.detail or self._echo_missing(answer, marks) or self._wrong_agent(answer) or detail,
        )

    def foreign_marks(self, text: str) -> tuple[str, ...]:
        """Return the marks of other users in `text`, at most 20, in order of appearance.

        Marks of an earlier run count too: a service may show a user's own past, nobody else's.
        """
        return self._foreign(_marks_in(text))

    def _foreign(self, marks: Sequence[re.Match[str]]) -> tuple[str, ...]:
        found = [match[0] for match in marks if int(match[1]) != self.user_number]
        return tuple(dict.fromkeys(found))[:_MOST_FOREIGN_MARKS] if found else ()

    def _echo_missing(self, answer: Answer, marks: Sequence[re.Match[str]]) -> str:
        # Not by `in` its text: turn 1's mark begins turn 11's.
        lost = answer.status == "answered" and self.mark not in [match[0] for match in marks]
        return f"the answer does not hold its own mark {self.mark}" if lost else ""

    def _wrong_agent(self, answer: Answer) -> str:
        wrong = answer.agent and answer.agent != self.agent
        return f"{WRONG_AGENT} {answer.agent}, not {self.agent}" if wrong else ""

    def _session(self, **outcome: Any) -> Session:
        return Session(
            probe=self.probe, role=self.role, number=self.number, user=self.user, agent=self.agent,
            mark=self.mark, intended_s=self.intended_s, lag_s=self.lag_s, **outcome,
        )  # fmt: skip


def _marks_in(text: str) -> list[re.Match[str]]:
    """Return all marks in `text`, in order of appearance."""
    found = [match for marks in _MARKS for match in marks.finditer(text)]
    return sorted(found, key=re.Match.start) if len(found) > 1 else found


def user_number(role: Role, index: int) -> int:
    """Return the number of a role's `index`-th user, from 1; no two roles share one."""
    return 2 * index + (1 if role == "candidate" else 2)
