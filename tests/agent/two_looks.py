"""Conversations that look quickly and at length, and answers for both of them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from pydantic import JsonValue

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import Conversation
from runbook_lib.agent.expectations import Expectations
from runbook_lib.agent.quick import QuickConversation
from runbook_lib.plan import Protocol
from runbook_lib.ports import Answer

MESSAGE: dict[str, JsonValue] = {
    "type": "chat",
    "data": {"content": "{content}", "agent": "{agent}", "id": "{message_id}"},
}

PROTOCOLS = {
    "the sample service's": Protocol(),
    "one that streams": Protocol(
        events=("agent_started", "agent_thinking*", "tool_executing?", "agent_completed"),
        other_events=("heartbeat",), sequence_field=None, most_frames=8,
    ),
    "one of other names": Protocol(
        events=("agent_started", "agent_completed"), required_fields=("type", "data.agent"), run_field=None,
        id_field=None, correlation_field="data.reply_to", same_fields=(), answer_field="response",
    ),
    "one that begins with a failure": Protocol(
        events=("agent_started", "agent_completed"), failure_events=("agent_started",)
    ),
    "one whose fields lie deep": Protocol(
        type_field="in it.kind", id_field="in it.#", run_field="in it.run", sequence_field="in it.no.of",
        user_field="in it.who", session_field=None, same_fields=("thread_id",),
        required_fields=("data.agent", "in it.at"),
    ),
}  # fmt: skip
STREAM = Protocol(
    events=("agent_started", "agent_thinking*", "agent_completed"), most_frames=1000, message=MESSAGE
)


def answer(turn: int, protocol: Protocol, sent_id: str) -> list[dict[str, Any]]:
    """Return the events of an answer that is as it should be."""
    kinds = [event.rstrip("?*+") for event in protocol.events]
    return [
        {
            "type": kind, "data": {"agent": "triage", "response": f"turn {turn}", "reply_to": sent_id},
            "response": "yes", "message_id": f"m{turn}-{place}", "run_id": f"r{turn}", "thread_id": "t1",
            "user_id": "u1", "session_id": "s1", "timestamp": "now", "sequence": place,
            "in it": {
                "kind": kind, "#": f"m{turn}-{place}", "run": f"r{turn}", "no": {"of": place}, "who": "u1",
                "at": None,
            },
        }
        for place, kind in enumerate(kinds, start=1)
    ]  # fmt: skip


def stream(sent_id: str, which: slice, odd: dict[str, Any]) -> list[dict[str, Any]]:
    """Return two hundred events, some of which are odd: a number is added to theirs."""
    start, going_on, end = answer(0, STREAM, sent_id)
    events = [start, *(dict(going_on) for _ in range(198)), end]
    for number, event in enumerate(events, start=1):
        event |= {"message_id": f"m0-{number}", "sequence": number}
    for event in events[which]:
        event |= odd | {"sequence": odd.get("sequence", 0) + event["sequence"]}
    return [{name: value for name, value in event.items() if value is not ...} for event in events]


def quick(protocol: Protocol) -> QuickConversation:
    """Return a conversation that takes quick looks."""
    return QuickConversation(Expectations(Contract(protocol=protocol)))


def greeted(conversation: Conversation) -> Conversation:
    """Return it with the greeting taken."""
    ready, known = "connection_ready", {"user_id": "u1", "session_id": "s1"}
    conversation.begin(json.dumps({"type": ready, "data": known, "in it": {"kind": ready, "who": "u1"}}))
    return conversation


def without(sent_id: str, found: Answer) -> Answer:
    """Return the answer without the id of its message, which is new each time."""
    return dataclasses.replace(found, text=found.text.replace(sent_id, "the message's id"))
