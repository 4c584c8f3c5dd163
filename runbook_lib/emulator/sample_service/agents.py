"""Make per-user execution contexts and start agents in them; does no I/O."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from .defects import Defects, EveryNth

TOOLS: Mapping[str, str] = {
    "triage": "classify_request",
    "data": "query_warehouse",
    "reporting": "render_report",
}


RACING, BUILDING_S = "data", 0.05


class AgentStartError(Exception):
    """An agent could not be made; `code` is for programs, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.code = code


@dataclass(kw_only=True, slots=True)
class UserExecutionContext:
    """What belongs to one user's session and to nobody else; changes with each chat."""

    user_id: str
    session_id: str
    last_content: str = ""


class ContextFactory:
    """Builds a fresh context for each session."""

    def create(self, user_id: str, *, session_id: str | None = None) -> UserExecutionContext:
        """Return a context with an id of its own, unless one is forced on it."""
        return UserExecutionContext(user_id=user_id, session_id=session_id or f"session-{uuid.uuid4().hex}")


@dataclass(frozen=True, kw_only=True)
class Agent:
    """One agent, bound to one user's context."""

    kind: str
    tool: str
    context: UserExecutionContext

    def respond(self, content: str) -> str:
        """Return the answer, which repeats the question."""
        return f"{self.kind} agent used {self.tool} and answers: {content}"


class AgentRegistry:
    """Knows the agent kinds and starts them."""

    def __init__(self, defects: Defects) -> None:
        """Take the defects that concern starting an agent."""
        self._data_fails = EveryNth(defects.data_agent_fails_every)
        self._faults = defects.faults
        self._mixed_up = EveryNth(3)
        self._built_s: dict[str, float] = {}

    @property
    def kinds(self) -> list[str]:
        """The kinds that can be asked for."""
        return list(TOOLS)

    def start(self, kind: str, context: UserExecutionContext) -> Agent:
        """Return a new agent for this context.

        Raises:
            AgentStartError: If the kind is unknown, or the factory failed.
        """
        if kind not in TOOLS:
            raise AgentStartError("unknown_agent", f"no agent kind {kind!r}: use one of {', '.join(TOOLS)}")
        if kind == "data" and self._data_fails.due():
            raise AgentStartError("factory_failure", "agent factory: no execution context bound to this user")
        if "race" in self._faults and kind == RACING and self._is_being_built(kind):
            raise AgentStartError("factory_failure", f"agent factory: {kind} is being built for another user")
        if "wrong-agent" in self._faults and kind == "reporting" and self._mixed_up.due():
            kind = "triage"
        return Agent(kind=kind, tool=TOOLS[kind], context=context)

    def _is_being_built(self, kind: str) -> bool:
        """Say whether another one was begun just now, as it is where a factory keeps its state in itself."""
        before_s, self._built_s[kind] = self._built_s.get(kind, 0.0), time.monotonic()
        return self._built_s[kind] - before_s < BUILDING_S
