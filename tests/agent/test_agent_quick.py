"""The quick look at an answer and the long one say the same of every answer, be it as it may."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import Conversation, Stop
from runbook_lib.agent.quick import Expectations, QuickConversation
from runbook_lib.plan import Protocol
from runbook_lib.ports import Answer

Change = Callable[[list[dict[str, Any]]], list[str]]
MESSAGE: dict[str, JsonValue] = {
    "type": "chat",
    "data": {"content": "{content}", "agent": "{agent}", "id": "{message_id}"},
}

FIELDS = (
    "type",
    "data",
    "message_id",
    "run_id",
    "thread_id",
    "user_id",
    "session_id",
    "timestamp",
    "sequence",
)
PROTOCOLS = {
    "the sample service's": Protocol(),
    "one that streams": Protocol(
        events=("agent_started", "agent_thinking*", "tool_executing?", "agent_completed"),
        other_events=("heartbeat",), sequence_field=None, most_frames=8,
    ),
    "one of other names": Protocol(
        events=("agent_started", "agent_completed"), required_fields=("type", "data.agent"), run_field=None,
        id_field=None, correlation_field="data.reply_to", same_fields=(), answer_field="response",
        failure_events=("agent_started",),
    ),
}  # fmt: skip
ODD = st.sampled_from(
    [
        None,
        True,
        1,
        1.0,
        2**31,
        2**70,
        "",
        "u1",
        "u2",
        "s1",
        "r1",
        [],
        ["u1"],
        {},
        {"response": 5},
        "heartbeat",
    ]
)
NOT_JSON = st.sampled_from(
    ["", "[]", "{", "NaN", '{"type": NaN}', '{"type": "\\ud800"}', "9" * 5000, "[" * 1500 + "]" * 1500,
     "\ufeff{}",
     '{"type": "agent_started", "data": ' + "9" * 4400 + "}", '{"type": "agent_started", "data": 1e999}',
     b"\xff", b'{"type": "agent_started"}']
)  # fmt: skip


def answer(turn: int, protocol: Protocol, sent_id: str) -> list[dict[str, Any]]:
    """Return the events of an answer that is as it should be."""
    kinds = [event.rstrip("?*+") for event in protocol.events]
    return [
        {
            "type": kind, "data": {"agent": "triage", "response": f"turn {turn}", "reply_to": sent_id},
            "response": "yes", "message_id": f"m{turn}-{place}", "run_id": f"r{turn}", "thread_id": "t1",
            "user_id": "u1", "session_id": "s1", "timestamp": "now", "sequence": place,
        }
        for place, kind in enumerate(kinds, start=1)
    ]  # fmt: skip


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Draw what happens to an answer on its way: mostly little."""
    kinds = st.sampled_from(
        ["drop", "repeat", "swap", "odd field", "lose field", "not json", "cut", "old run"]
    )
    return [
        (draw(kinds), (draw(st.integers(0, 4)), draw(st.sampled_from(FIELDS)), draw(ODD), draw(NOT_JSON)))
        for _ in range(draw(st.integers(0, 2)))
    ]


def changed(events: list[dict[str, Any]], what: list[tuple[str, Any]]) -> list[str | bytes]:
    """Return the frames that arrive."""
    frames: list[Any] = list(events)
    for kind, (place, name, odd, not_json) in what:
        at = place % max(1, len(frames))
        chosen = frames[at] if frames else None
        if kind == "drop":
            del frames[at : at + 1]
        elif kind == "repeat" and frames:
            frames.insert(at, chosen)
        elif kind == "swap":
            frames[at : at + 2] = frames[at : at + 2][::-1]
        elif kind == "odd field" and isinstance(chosen, dict):
            frames[at] = chosen | {name: odd}
        elif kind == "lose field" and isinstance(chosen, dict):
            frames[at] = {key: value for key, value in chosen.items() if key != name}
        elif kind == "not json":
            frames.insert(at, not_json)
        elif kind == "cut":
            del frames[at:]
        elif kind == "old run" and isinstance(chosen, dict):
            frames[at] = chosen | {"run_id": "r0", "message_id": "m0-1"}
    return [json.dumps(each) if isinstance(each, dict) else each for each in frames]


def seen(conversation: Conversation, protocol: Protocol, turns: list[list[tuple[str, Any]]]) -> list[Any]:
    """Return everything that a conversation says while some answers come."""
    told: list[Any] = []
    for turn, what in enumerate(turns):
        sent = json.loads(conversation.send('say "hü"', "triage"))
        ids = sent["data"].pop("id")
        told += [sent, conversation.ended]
        for place, frame in enumerate(changed(answer(turn, protocol, ids), what)):
            conversation.feed(frame, at_s=place / 10)
            told.append((conversation.ended, len(conversation.events)))
        stop: Stop | None = None if conversation.ended else "closed"
        found = conversation.answer(stop, "gone")
        told += [
            _without(ids, found),
            conversation.session_id,
            conversation.user_id,
        ]
        if turn == 1:
            conversation.feed('{"type": "heartbeat"}')
    return told


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from([*PROTOCOLS]),
    greeted=st.booleans(),
    turns=st.lists(changes(), min_size=1, max_size=4),
)
def test_both_say_the_same_of_every_answer(
    name: str, greeted: bool, turns: list[list[tuple[str, Any]]]
) -> None:
    protocol = PROTOCOLS[name]
    protocol = protocol.model_copy(update={"message": MESSAGE})
    both: list[Conversation] = [Conversation(Contract(protocol=protocol)), _quick(protocol)]
    if greeted:
        both = [*map(_greeted, both)]
    at_length, quickly = (seen(each, protocol, turns) for each in both)
    assert quickly == at_length


def as_a_whole(**fields: Any) -> Change:
    """Return a change of every event of an answer."""
    return lambda events: [json.dumps(event | fields) for event in events]


def first(**fields: Any) -> Change:
    """Return a change of an answer's first event."""
    return lambda events: [json.dumps(events[0] | fields), *map(json.dumps, events[1:])]


def with_a_long_number(events: list[dict[str, Any]]) -> list[str]:
    """Put a number in that `json` refuses and orjson reads."""
    return [json.dumps(event).replace('"now"', "9" * 4400) for event in events]


def nested_deeply(events: list[dict[str, Any]]) -> list[str]:
    """Put lists in that are deeper than `json` goes."""
    return [json.dumps(event).replace('"now"', "[" * 1000 + "]" * 1000) for event in events]


def many(events: list[dict[str, Any]]) -> list[str]:
    """Repeat the second event until there are more frames than the plan allows."""
    thinking = [events[1] | {"message_id": f"many-{number}"} for number in range(9)]
    return [json.dumps(each) for each in (events[0], *thinking, *events[2:])]


# Each of these breaks what no other does: without its check in the quick look the test fails.
CHANGES: dict[str, Change] = {
    "an earlier answer's run": as_a_whole(run_id="r0"),
    "an earlier answer's message id": first(message_id="m0-1"),
    "another user": as_a_whole(user_id="u2"),
    "another session": as_a_whole(session_id="s2"),
    "a true sequence": first(sequence=True),
    "a fraction as sequence": first(sequence=1.0),
    "a late start": first(sequence=2),
    "another run in the middle": first(run_id="r7"),
    "another thread in the middle": first(thread_id="t7"),
    "a field that is null": first(thread_id=None),
    "runs that are null": as_a_whole(run_id=None),
    "data that is a list": first(data=[]),
    "no text in the end": as_a_whole(data={"agent": "triage"}, response=5),
    "another message's answer": as_a_whole(data={"reply_to": "another", "response": "yes"}),
    "an agent of another name": first(data={"agent": "x" * 300}),
    "a number too long": with_a_long_number,
    "lists too deep": nested_deeply,
    "more frames than allowed": many,
}


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_both_say_the_same_where_one_thing_is_odd(name: str, change: Change) -> None:
    protocol = PROTOCOLS[name].model_copy(update={"message": MESSAGE})
    both = (_greeted(Conversation(Contract(protocol=protocol))), _greeted(_quick(protocol)))
    told: tuple[list[Any], list[Any]] = ([], [])
    for turn in range(3):
        for each, said in zip(both, told, strict=True):
            sent_id = json.loads(each.send("hello", "triage"))["data"]["id"]
            events = answer(turn, protocol, sent_id)
            for place, frame in enumerate(change(events) if turn == 1 else map(json.dumps, events)):
                each.feed(frame, at_s=place / 10)
            said.append(_without(sent_id, each.answer(None if each.ended else "closed", "gone")))
    assert told[0] == told[1]


def _quick(protocol: Protocol) -> QuickConversation:
    return QuickConversation(Expectations(Contract(protocol=protocol)))


def _greeted(conversation: Conversation) -> Conversation:
    conversation.begin('{"type": "connection_ready", "data": {"user_id": "u1", "session_id": "s1"}}')
    return conversation


def _without(sent_id: str, found: Answer) -> Answer:
    """Return the answer without the id of its message, which is new each time."""
    return dataclasses.replace(found, text=found.text.replace(sent_id, "the message's id"))


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_an_answer_as_it_should_be_needs_no_long_look(protocol: Protocol) -> None:
    contract = Contract(protocol=protocol.model_copy(update={"failure_events": ()}))
    conversation = _NeverAtLength(Expectations(contract))
    for turn in range(3):
        conversation.send("hello", "triage")
        for event in answer(turn, protocol, conversation.sent_id()):
            conversation.feed(json.dumps(event))
        found = conversation.answer()
        assert (found.status, found.violations, len(found.events)) == ("answered", (), len(protocol.events))


class _NeverAtLength(QuickConversation):
    """Fails where a long look is taken."""

    def _at_length(self) -> None:
        assert self._quick is None

    def sent_id(self) -> str:
        assert self._quick
        return self._quick.sent_id


def test_a_message_with_a_placeholder_in_a_key_is_sent_as_the_plan_says() -> None:
    contract = Contract(protocol=Protocol(message={"{content}": ["{agent}", "{other}"]}))
    sent = QuickConversation(Expectations(contract)).send("x", "triage")
    assert json.loads(sent) == {"{content}": ["triage", "{other}"]}


STREAM = Protocol(
    events=("agent_started", "agent_thinking*", "agent_completed"), most_frames=1000, message=MESSAGE
)
ODD_IN_A_STREAM: dict[str, tuple[slice, dict[str, Any]]] = {
    "nothing": (slice(0), {}),
    "another user": (slice(99, 100), {"user_id": "u2"}),
    "another thread from the second look on": (slice(64, None), {"thread_id": "t2"}),
    "the first event's id": (slice(99, 100), {"message_id": "m0-1"}),
    "the number before": (slice(99, 100), {"sequence": -1}),
    "numbers anew from the second look on": (slice(64, None), {"sequence": -64}),
    "no timestamp": (slice(99, 100), {"timestamp": ...}),
    "another run": (slice(99, 100), {"run_id": "r7"}),
}


@pytest.mark.parametrize("together", [1, 7, 300])
@pytest.mark.parametrize("odd", ODD_IN_A_STREAM)
def test_both_say_the_same_of_a_long_stream_however_it_comes(odd: str, together: int) -> None:
    both = (_greeted(Conversation(Contract(protocol=STREAM))), _greeted(_quick(STREAM)))
    said = []
    for each in both:
        sent_id = json.loads(each.send("hello", "triage"))["data"]["id"]
        frames = [json.dumps(event) for event in stream(sent_id, *ODD_IN_A_STREAM[odd])]
        for start in range(0, len(frames), together):
            each.feed_until_end(frames[start : start + together], at_s=start / 10)
        said.append(_without(sent_id, each.answer(None if each.ended else "closed", "gone")))
    assert said[0] == said[1]
    assert len(said[0].events) == 200
    assert bool(said[0].violations) == (odd != "nothing")


def stream(sent_id: str, which: slice, odd: dict[str, Any]) -> list[dict[str, Any]]:
    """Return two hundred events, some of which are odd: a number is added to theirs."""
    start, going_on, end = answer(0, STREAM, sent_id)
    events = [start, *(dict(going_on) for _ in range(198)), end]
    for number, event in enumerate(events, start=1):
        event |= {"message_id": f"m0-{number}", "sequence": number}
    for event in events[which]:
        event |= odd | {"sequence": odd.get("sequence", 0) + event["sequence"]}
    return [{name: value for name, value in event.items() if value is not ...} for event in events]
