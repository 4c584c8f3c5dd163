"""The quick look at an answer and the long one say the same of every answer, be it as it may."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from two_looks import MESSAGE, PROTOCOLS, STREAM, answer, greeted, quick, stream, without

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import Conversation, Stop
from runbook_lib.plan import Protocol

Change = Callable[[list[dict[str, Any]]], list[str]]
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
    "in it",
)
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
            without(ids, found),
            conversation.session_id,
            conversation.user_id,
        ]
        if turn == 1:
            conversation.feed('{"type": "heartbeat"}')
    return told


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from([*PROTOCOLS]),
    begun=st.booleans(),
    turns=st.lists(changes(), min_size=1, max_size=4),
)
def test_both_say_the_same_of_every_answer(
    name: str, begun: bool, turns: list[list[tuple[str, Any]]]
) -> None:
    protocol = PROTOCOLS[name]
    protocol = protocol.model_copy(update={"message": MESSAGE})
    both: list[Conversation] = [Conversation(Contract(protocol=protocol)), quick(protocol)]
    if begun:
        both = [*map(greeted, both)]
    at_length, quickly = (seen(each, protocol, turns) for each in both)
    assert quickly == at_length


def as_a_whole(**fields: Any) -> Change:
    """Return a change of every event of an answer."""
    return lambda events: [json.dumps(event | fields) for event in events]


def first(**fields: Any) -> Change:
    """Return a change of an answer's first event."""
    return lambda events: [json.dumps(events[0] | fields), *map(json.dumps, events[1:])]


def deep(**fields: Any) -> Change:
    """Return a change of what lies deep in an answer's first event; what is not given is lost."""
    return lambda events: [json.dumps(events[0] | {"in it": fields}), *map(json.dumps, events[1:])]


def with_a_long_number(events: list[dict[str, Any]]) -> list[str]:
    """Put a number in that `json` refuses and msgspec reads."""
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
    "another message's answer": as_a_whole(data={"agent": "triage", "reply_to": "another"}, response="yes"),
    "an answer to a list": as_a_whole(data={"agent": "triage", "reply_to": ["another"]}, response="yes"),
    "a type that is an object": first(type={"agent": "triage"}),
    "more characters than are taken": as_a_whole(timestamp="x" * 1_500_000),
    "an agent of another name": first(data={"agent": "x" * 300}),
    "a field too few in the deep": deep(kind="agent_started"),
    "a number in the deep that is true": deep(
        **{"kind": "agent_started", "#": "m1-1", "run": "r1", "no": {"of": True}, "who": "u1", "at": 0}
    ),
    "another user in the deep": deep(
        **{"kind": "agent_started", "#": "m1-1", "run": "r1", "no": {"of": 1}, "who": "u2", "at": 0}
    ),
    "a number too long": with_a_long_number,
    "lists too deep": nested_deeply,
    "more frames than allowed": many,
}


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_both_say_the_same_where_one_thing_is_odd(name: str, change: Change) -> None:
    protocol = PROTOCOLS[name].model_copy(update={"message": MESSAGE})
    both = (greeted(Conversation(Contract(protocol=protocol))), greeted(quick(protocol)))
    told: tuple[list[Any], list[Any]] = ([], [])
    for turn in range(3):
        for each, said in zip(both, told, strict=True):
            sent_id = json.loads(each.send("hello", "triage"))["data"]["id"]
            events = answer(turn, protocol, sent_id)
            for place, frame in enumerate(change(events) if turn == 1 else map(json.dumps, events)):
                each.feed(frame, at_s=place / 10)
            said.append(without(sent_id, each.answer(None if each.ended else "closed", "gone")))
    assert told[0] == told[1]


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
    both = (greeted(Conversation(Contract(protocol=STREAM))), greeted(quick(STREAM)))
    said = []
    for each in both:
        sent_id = json.loads(each.send("hello", "triage"))["data"]["id"]
        frames = [json.dumps(event) for event in stream(sent_id, *ODD_IN_A_STREAM[odd])]
        for start in range(0, len(frames), together):
            each.feed_until_end(frames[start : start + together], at_s=start / 10)
        said.append(without(sent_id, each.answer(None if each.ended else "closed", "gone")))
    assert said[0] == said[1]
    assert len(said[0].events) == 200
    assert bool(said[0].violations) == (odd != "nothing")
