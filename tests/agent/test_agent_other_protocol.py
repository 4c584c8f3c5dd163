"""A chat protocol of other names, with repeated events and correlation ids, by the plan alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError
from scripted_service import TOKEN, ScriptedService, client

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import Conversation
from runbook_lib.plan.probes import Protocol
from runbook_lib.ports import Answer

STREAMING = Protocol(
    greeting=None,
    message={"op": "ask", "ref": "{message_id}", "text": "{content}", "model": "{agent}"},
    events=("accepted", "thought*", "search?", "token+", "done"),
    failure_events=("refused",),
    other_events=("heartbeat",),
    required_fields=("ev", "meta.ref"),
    same_fields=(),
    type_field="ev",
    sequence_field=None,
    id_field=None,
    run_field=None,
    correlation_field="meta.ref",
    user_field="meta.user",
    session_field=None,
    answer_field="full_text",
)


def reply(message: str, *kinds: str, **changes: Any) -> list[str]:
    """Return one frame of each kind in answer to a message."""
    asked = json.loads(message)
    meta = {"ref": asked["ref"], "user": "u1"} | changes
    return [json.dumps({"ev": kind, "meta": meta, "full_text": asked["text"]}) for kind in kinds]


def answer_of(*kinds: str, **changes: Any) -> Answer:
    """Return the answer that consists of these kinds."""
    conversation = Conversation(Contract(protocol=STREAMING))
    for frame in reply(conversation.send("hello", "m"), *kinds, **changes):
        conversation.feed(frame, 0.1)
    return conversation.answer("answer_timeout", "too long")


WHOLE: list[tuple[str, ...]] = [
    ("accepted", "token", "done"),
    ("accepted", "thought", "thought", "thought", "search", "token", "token", "done"),
    ("accepted", "heartbeat", "search", "token", "heartbeat", "done", "heartbeat"),
]


@pytest.mark.parametrize("kinds", WHOLE, ids=" ".join)
def test_an_answer_may_repeat_leave_out_and_be_interrupted_where_the_plan_says_so(
    kinds: tuple[str, ...],
) -> None:
    answer = answer_of(*kinds)
    assert (answer.status, answer.violations) == ("answered", ())
    assert [event.type for event in answer.events] == [kind for kind in kinds if kind != "heartbeat"]


BROKEN: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "a required one is missing": (("accepted", "thought", "done"), ("token is missing",)),
    "one that comes at most once came twice": (
        ("accepted", "search", "search", "token", "done"),
        ("search came twice",),
    ),
    "a repeated one out of order": (
        ("accepted", "token", "thought", "token", "done"),
        ("thought came after token",),
    ),
    "unknown": (("accepted", "telemetry", "token", "done"), ("telemetry is an unknown type",)),
    "half-way": (("accepted", "token"), ("done is missing",)),
}


@pytest.mark.parametrize(("kinds", "violations"), BROKEN.values(), ids=BROKEN)
def test_what_the_plan_does_not_allow_is_named(kinds: tuple[str, ...], violations: tuple[str, ...]) -> None:
    assert answer_of(*kinds).violations == violations


def test_what_may_come_next_knows_what_repeats_and_what_may_be_left_out() -> None:
    conversation = Conversation(Contract(protocol=STREAMING))
    message = conversation.send("hello", "m")
    expected = [conversation.expected]
    for frame in reply(message, "accepted", "thought", "search", "token", "done"):
        conversation.feed(frame)
        expected.append(conversation.expected)
    assert expected == [
        ("accepted",), ("thought", "search", "token"), ("thought", "search", "token"), ("token",),
        ("token", "done"), (),
    ]  # fmt: skip


def test_an_event_that_answers_another_message_is_no_part_of_this_answer() -> None:
    conversation = Conversation(Contract(protocol=STREAMING))
    first = conversation.send("one", "m")
    conversation.answer("answer_timeout", "too long")
    second = conversation.send("two", "m")
    for frame in (*reply(first, "done"), *reply(second, "accepted", "token", "done")):
        conversation.feed(frame, 0.1)
    answer = conversation.answer()
    assert (answer.status, answer.violations) == ("answered", ("done answers another message",))


def test_another_users_event_is_told_by_the_plans_own_field() -> None:
    conversation = Conversation(Contract(protocol=STREAMING))
    message = conversation.send("hello", "m")
    frames = [
        *reply(message, "accepted"),
        *reply(message, "token", user="u2"),
        *reply(message, "token", "done"),
    ]
    for frame in frames:
        conversation.feed(frame, 0.1)
    answer = conversation.answer()
    assert answer.foreign_ids == ("u2",)
    assert answer.violations == ("meta.user of token differs from the one before",)


@pytest.mark.parametrize("events", [("a", "b*"), ("a", "a+", "b"), ("a", "*"), ()])
def test_a_plan_whose_events_cannot_end_an_answer_is_refused(events: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        Protocol(events=events)


async def test_the_client_speaks_it_over_a_real_socket() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        async for message in socket:
            for frame in reply(message.data, "accepted", "thought", "thought", "token", "done"):
                await socket.send_str(frame)

    protocol = STREAMING.model_dump() | {"subprotocols": ()}
    async with ScriptedService(talk=talk).serving() as service:
        session = await client(protocol=protocol).connect(service.url, TOKEN)
        answered = [await session.chat(f"hello-{turn}", "m") for turn in range(2)]
        await session.close()
    assert [(each.status, each.violations) for each in answered] == [("answered", ())] * 2
