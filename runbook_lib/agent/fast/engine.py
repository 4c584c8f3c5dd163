"""Open sessions on a wire of their own."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import Conversation
from runbook_lib.agent.engine import NOT_OPENED, Call
from runbook_lib.agent.expectations import Expectations
from runbook_lib.agent.fast.epoll import EpollWire
from runbook_lib.agent.fast.route import Route
from runbook_lib.agent.fast.session import FastSession
from runbook_lib.agent.fast.visit import FastVisit
from runbook_lib.agent.fast.wire import LoopWire, Wire
from runbook_lib.agent.quick import QuickConversation
from runbook_lib.ports import ChatSession, VisitEnded

NewWire = Callable[[asyncio.AbstractEventLoop], Wire]
BEST_WIRE: NewWire = EpollWire if hasattr(select, "epoll") else LoopWire


class FastEngine:
    """Implements `engine.Engine`. A host is looked up once, by the first session, within as long again.

    Args:
        new_wire: Makes what carries the sessions of an event loop.
    """

    def __init__(self, new_wire: NewWire = BEST_WIRE) -> None:
        self._new_wire = new_wire
        self._wire: Wire | None = None
        self._expectations: dict[int, Expectations] = {}
        self._routes: dict[str, Route] = {}
        self._looking: set[asyncio.Task[None]] = set()

    def conversation(self, contract: Contract, clean: Callable[[str], str]) -> Conversation:
        """Return what takes a new session's frames."""
        expectations = self._expectations.get(id(contract))
        if expectations is None:
            expectations = self._expectations[id(contract)] = Expectations(contract)
        return QuickConversation(expectations, clean)

    async def open(self, call: Call) -> ChatSession:
        """Open a session; see `engine.Engine`."""
        try:
            route = self._routes.get(call.target.url) or await self._look_up(call)
            session = FastSession(call, route, self._wire_here())
            await session.open()
        except NOT_OPENED as error:
            raise call.told(error) from None  # what websockets says of a handshake may hold the token
        return session

    def visit(self, call: Call, content: str, agent: str, ended: VisitEnded) -> None:
        """Begin a session that chats once and closes; see `ports.Agents`."""
        route = self._routes.get(call.target.url)
        if route is None:
            looking = asyncio.create_task(self._visit_first(call, content, agent, ended))
            self._looking.add(looking)
            looking.add_done_callback(self._looking.discard)
            return
        try:
            FastVisit(call, route, self._wire_here(), (content, agent), ended)
        except ValueError as error:
            raise call.told(error) from None

    def close(self) -> None:
        """End all sessions at once."""
        for looking in self._looking:
            looking.cancel()
        if self._wire is not None:
            self._wire.close()

    async def _visit_first(self, call: Call, content: str, agent: str, ended: VisitEnded) -> None:
        try:
            await self._look_up(call)
            self.visit(call, content, agent, ended)
        except NOT_OPENED as error:
            ended(call.told(error))
        except Exception as error:
            ended(error)

    async def _look_up(self, call: Call) -> Route:
        url = call.target.url
        self._routes[url] = await asyncio.wait_for(Route.to(url), call.target.connect_timeout_s)
        return self._routes[url]

    def _wire_here(self) -> Wire:
        loop = asyncio.get_running_loop()
        if self._wire is None or self._wire.loop is not loop:
            self._wire = self._new_wire(loop)
        return self._wire
