"""Bend the events of an answer, for the variants whose event stream is at fault; the rest passes through."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

from .events import Event
from .service import Service

LATE_S = 0.1


async def bent(service: Service, user_id: str, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """Yield the events of one answer as this variant sends them; each answer has another of its faults."""
    service.answers += 1
    faults = sorted(service.defects.faults & set(_BENDS))
    bend = _BENDS[faults[service.answers % len(faults)]] if faults else _straight
    foreign = service.lots.random() < service.defects.foreign_event_share
    async for event in bend(events):
        yield event
        if foreign and (other := _of_another(service, user_id)):
            yield other
            foreign = False
        service.newest_events[user_id] = event


def _of_another(service: Service, user_id: str) -> Event | None:
    users = [user for user in service.newest_events if user != user_id]
    return service.newest_events[users[-1]] if users else None


async def _straight(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    async for event in events:
        yield event


async def _duplicate(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    async for event in events:
        yield event
        if event["type"] == "tool_executing":
            yield event


async def _gap(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    async for event in events:
        ahead = event["type"] in ("tool_completed", "agent_completed")
        yield {**event, "sequence": int(str(event["sequence"])) + 1} if ahead else event


async def _missing_field(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    async for event in events:
        yield {name: value for name, value in event.items() if name != "timestamp"}


async def _other_run(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    async for event in events:
        lost = event["type"] == "tool_completed"
        yield {**event, "run_id": f"run-{uuid.uuid4().hex}"} if lost else event


async def _out_of_order(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    held: list[Event] = []
    async for event in events:
        if event["type"] == "agent_thinking":
            held.append(event)
            continue
        yield event
        while held:
            yield held.pop()


async def _unknown_type(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    async for event in events:
        yield {**event, "type": "agent_thought"} if event["type"] == "agent_thinking" else event


async def _late(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    kept: list[Event] = []
    async for event in events:
        kept.append(event)
        yield event
    await asyncio.sleep(LATE_S)
    yield {**kept[min(1, len(kept) - 1)], "message_id": uuid.uuid4().hex}


async def _second_answer(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    kept: list[Event] = []
    async for event in events:
        kept.append(event)
        yield event
    again = f"run-{uuid.uuid4().hex}"
    for event in kept:
        yield {**event, "run_id": again, "message_id": uuid.uuid4().hex}


_BENDS = {
    "duplicate": _duplicate,
    "gap": _gap,
    "late": _late,
    "missing-field": _missing_field,
    "other-run": _other_run,
    "out-of-order": _out_of_order,
    "second-answer": _second_answer,
    "unknown-type": _unknown_type,
}
