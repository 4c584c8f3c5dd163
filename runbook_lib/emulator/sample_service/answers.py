"""Play one answer, event by event, at the pace of an agent; the caller sends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from . import logs
from .agents import Agent, AgentStartError, UserExecutionContext
from .events import Chat, Envelopes, Event
from .service import Service
from .sessions import ThreadMessage

PAUSES = 4  # between five events


async def answer(service: Service, context: UserExecutionContext, chat: Chat) -> AsyncIterator[Event]:
    """Yield the five events of an answer, or one `agent_error`."""
    envelopes = Envelopes(context, chat)
    _remember(service, context, chat, envelopes.run_id)
    try:
        agent = service.registry.start(chat.agent, context)
    except AgentStartError as error:
        logs.warning("agent did not start", run_id=envelopes.run_id, agent=chat.agent, code=error.code)
        yield envelopes.event("agent_error", code=error.code, message=str(error))
        return
    async for event in _five_events(service, agent, chat, envelopes):
        yield event


async def _five_events(
    service: Service, agent: Agent, chat: Chat, envelopes: Envelopes
) -> AsyncIterator[Event]:
    yield envelopes.event("agent_started", agent=agent.kind)
    await _pause(service)
    yield envelopes.event("agent_thinking", context=service.sessions.context_for(agent.context))
    if service.defects.silent_after_thinking:
        return
    await _think(service)
    yield envelopes.event("tool_executing", tool=agent.tool)
    await _pause(service)
    completed = envelopes.event("tool_completed", tool=agent.tool)
    if not service.defects.skip_tool_completed:
        yield completed
    await _pause(service)
    response = agent.respond(chat.content)
    service.threads.append(
        agent.context.user_id, chat.thread_id, ThreadMessage(role="agent", content=response)
    )
    yield envelopes.event("agent_completed", response=response)


def _remember(service: Service, context: UserExecutionContext, chat: Chat, run_id: str) -> None:
    context.last_content = chat.content
    service.threads.append(context.user_id, chat.thread_id, ThreadMessage(role="user", content=chat.content))
    if service.defects.leak_kib_per_chat:
        # Written, not only reserved: untouched pages would not count as memory of the process.
        service.retained.append(b"\x5a" * (service.defects.leak_kib_per_chat * 1024))
    logs.info(
        "chat received",
        run_id=run_id,
        user_id=context.user_id,
        session_id=context.session_id,
        agent=chat.agent,
        content_chars=len(chat.content),
    )


async def _think(service: Service) -> None:
    if service.slow_answer.due():
        await asyncio.sleep(service.defects.slow_answer_s)
    await _pause(service)


async def _pause(service: Service) -> None:
    await asyncio.sleep(service.settings.answer_s / PAUSES * service.jitter.uniform(0.8, 1.2))
