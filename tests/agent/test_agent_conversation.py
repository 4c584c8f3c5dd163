"""The event contract, frame by frame, without a network."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import Conversation
from runbook_lib.errors import ProtocolViolation
from runbook_lib.plan.probes import Protocol
from runbook_lib.ports import Answer

PROTOCOL = Protocol()
CONTRACT = Contract(protocol=PROTOCOL)
GREETING = json.dumps({"type": "connection_ready", "data": {"user_id": "u1", "session_id": "s1"}})


def greeted() -> Conversation:
    """Return a session of which the greeting has come."""
    conversation = Conversation(CONTRACT)
    conversation.begin(GREETING)
    return conversation


def asked() -> Conversation:
    """Return a session in which one message was sent."""
    conversation = greeted()
    conversation.send("hello", "triage")
    return conversation


def event(number: int, **changes: Any) -> dict[str, Any]:
    """Return the `number`-th event of a clean answer, from 1."""
    kind = PROTOCOL.events[number - 1]
    data = {"response": "hello"} if kind == "agent_completed" else {}
    return {
        "type": kind, "data": data, "message_id": f"m{number}", "run_id": "r1", "thread_id": "t1",
        "user_id": "u1", "session_id": "s1", "timestamp": "2026-11-23T00:00:00Z", "sequence": number,
    } | changes  # fmt: skip


def without(number: int, field: str) -> dict[str, Any]:
    """Return the `number`-th event without one of its fields."""
    return {name: value for name, value in event(number).items() if name != field}


def answer_to(frames: list[Any]) -> Answer:
    """Feed frames, one every tenth of a second; the session is lost after the last."""
    conversation = asked()
    for number, frame in enumerate(frames, start=1):
        raw = frame if isinstance(frame, str | bytes) else json.dumps(frame)
        conversation.feed(raw, number / 10)
    return conversation.answer("closed", "lost")


CLEAN = [event(number) for number in range(1, 6)]
VIOLATIONS = {
    "clean": (CLEAN, []),
    "missing": (
        [CLEAN[0], CLEAN[1], CLEAN[2], CLEAN[4]],
        ["sequence of agent_completed is 5 after 3", "tool_completed is missing"],
    ),
    "renumbered gap": (
        [CLEAN[0], CLEAN[1], CLEAN[2], event(5, sequence=4)],
        ["tool_completed is missing"],
    ),
    "doubled": (
        [CLEAN[0], CLEAN[0], *CLEAN[1:]],
        [
            "agent_started came twice",
            "message_id of agent_started was used before",
            "sequence of agent_started is 1 after 1",
        ],
    ),
    "out of order": (
        [CLEAN[0], event(3, sequence=2), event(2, sequence=3), *CLEAN[3:]],
        ["agent_thinking came after tool_executing"],
    ),
    "unknown": (
        [CLEAN[0], event(2, type="telemetry", message_id="x"), event(2, sequence=3), event(3, sequence=4),
         event(4, sequence=5), event(5, sequence=6)],
        ["telemetry is an unknown type"],
    ),
    "no type": ([*CLEAN[:2], without(3, "type"), *CLEAN[2:]], ["frame 3 has no type"]),
    "type is no text": ([*CLEAN[:2], event(3, type=7), *CLEAN[2:]], ["frame 3 has no type"]),
    "field absent": ([CLEAN[0], without(2, "run_id"), *CLEAN[2:]], ["agent_thinking has no run_id"]),
    "data no object": (
        [CLEAN[0], event(2, data=[]), *CLEAN[2:]],
        ["data of agent_thinking is not an object"],
    ),
    "other run": (
        [*CLEAN[:3], event(4, run_id="r2"), CLEAN[4]],
        ["run_id of tool_completed differs from the one before"],
    ),
    "other user than greeted": (
        [event(number, user_id="u2") for number in (1,)] + CLEAN[1:],
        ["user_id of agent_started differs from the one before"],
    ),
    "other session": (
        [*CLEAN[:4], event(5, session_id="s2")],
        ["session_id of agent_completed differs from the one before"],
    ),
    "sequence starts late": (
        [event(number, sequence=number + 1) for number in range(1, 6)],
        ["sequence of agent_started is 2 after 0"],
    ),
    "sequence no number": (
        [event(1, sequence="1"), event(2, sequence=1), event(3, sequence=2), event(4, sequence=3),
         event(5, sequence=4)],
        ["sequence of agent_started is not a whole number"],
    ),
    "message id doubled": (
        [CLEAN[0], event(2, message_id="m1"), *CLEAN[2:]],
        ["message_id of agent_thinking was used before"],
    ),
    "no response": ([*CLEAN[:4], event(5, data={})], ["agent_completed has no text in data.response"]),
    "after the end": ([*CLEAN, CLEAN[4]], ["agent_completed came after the end of the answer"]),
    "garbage after the end": ([*CLEAN, "}{"], ["a frame without type came after the end of the answer"]),
}  # fmt: skip


@pytest.mark.parametrize(("frames", "violations"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_an_answer_that_ends_is_answered_and_its_violations_are_named(
    frames: list[Any], violations: list[str]
) -> None:
    answer = answer_to(frames)
    assert answer.status == "answered"
    assert list(answer.violations) == violations


def test_a_clean_answer_tells_when_each_event_came_and_how_long_it_took() -> None:
    answer = answer_to(CLEAN)
    assert [(seen.type, seen.at_s, seen.sequence) for seen in answer.events] == [
        ("agent_started", 0.1, 1), ("agent_thinking", 0.2, 2), ("tool_executing", 0.3, 3),
        ("tool_completed", 0.4, 4), ("agent_completed", 0.5, 5),
    ]  # fmt: skip
    assert (answer.answer_s, answer.detail) == (0.5, "")
    assert answer.text.splitlines() == [json.dumps(frame) for frame in CLEAN]


@pytest.mark.parametrize("frame", ["hello", "[]", "null", "7", "", b"\xff\xfe\xfd", "[" * 100_000])
def test_a_frame_that_is_no_json_object_ends_the_answer_as_a_protocol_violation(frame: str | bytes) -> None:
    answer = answer_to([CLEAN[0], frame])
    assert (answer.status, answer.answer_s) == ("protocol_violation", None)
    assert answer.violations == ("frame 2 is not a JSON object",)
    assert answer.detail == "frame 2 is not a JSON object"


@pytest.mark.parametrize("kind", ["agent_error", "error"])
def test_a_failure_event_ends_the_answer_without_a_violation(kind: str) -> None:
    data = {"code": "factory_failure", "message": "no context"}
    answer = answer_to([{"type": kind, "data": data}])
    assert (answer.status, answer.answer_s) == ("agent_error", None)
    assert (answer.violations, answer.detail) == ((), "factory_failure: no context")


@pytest.mark.parametrize("stop", ["answer_timeout", "closed"])
def test_an_answer_cut_short_misses_what_did_not_come(stop: Any) -> None:
    conversation = asked()
    for frame in CLEAN[:3]:
        conversation.feed(json.dumps(frame), 0.1)
    answer = conversation.answer(stop, "the reason")
    assert (answer.status, answer.answer_s, answer.detail) == (
        stop,
        None,
        "the reason; the last event was tool_executing at 0.10 s",
    )
    assert answer.violations == ("tool_completed is missing", "agent_completed is missing")


def test_an_answer_without_end_is_given_up_at_the_plans_limit() -> None:
    answer = answer_to([event(2)] * 501)
    assert (answer.status, len(answer.events)) == ("protocol_violation", 500)
    assert answer.detail == "the answer did not end within 500 frames"
    assert len(answer.violations) < 50


def test_a_stray_frame_before_the_message_is_named_and_searched_for_marks() -> None:
    conversation = greeted()
    conversation.feed(json.dumps(event(2, message_id="early")))
    conversation.send("hello", "triage")
    for frame in CLEAN:
        conversation.feed(json.dumps(frame), 0.1)
    answer = conversation.answer()
    assert answer.violations == ("agent_thinking came before the message was sent",)
    assert len(answer.text.splitlines()) == 6


def test_the_session_id_is_that_of_the_greeting_else_of_the_events() -> None:
    assert greeted().session_id == "s1"
    conversation = Conversation(CONTRACT)
    conversation.send("hello", "triage")
    assert conversation.session_id == ""
    conversation.feed(json.dumps(CLEAN[0]), 0.1)
    assert conversation.session_id == "s1"


def test_nothing_that_a_file_cannot_hold_leaves_a_conversation() -> None:
    answer = answer_to(['{"type": "\\ud800", "sequence": 1' + "0" * 300 + "}"])
    assert (answer.events[0].type, answer.events[0].sequence) == ("?", None)
    assert answer.violations[0] == "? is an unknown type"


def test_a_token_in_a_frame_is_in_no_part_of_the_answer() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0." + "s" * 43
    long_prefix = "x" * 190  # the cut to 200 characters must not save half of it
    frames = [event(1, type=f"{long_prefix} {token}"), {"type": "error", "data": {"message": token}}]
    answer = answer_to(frames)
    assert "eyJ" not in repr(answer)
    assert answer.detail == "[redacted]"


@pytest.mark.parametrize(
    ("frame", "found"), [("hi", "no JSON object"), ('{"type": "error"}', "error"), ("{}", "None")]
)
def test_a_session_that_does_not_begin_with_the_greeting_is_a_protocol_violation(
    frame: str, found: str
) -> None:
    with pytest.raises(ProtocolViolation) as violation:
        Conversation(CONTRACT).begin(frame)
    assert str(violation.value) == f"/ws began with {found} instead of connection_ready"


def test_a_conversation_says_what_may_come_next() -> None:
    conversation = greeted()
    assert conversation.expected == ()
    conversation.send("hello", "triage")
    expected = [conversation.expected]
    for frame in CLEAN:
        conversation.feed(json.dumps(frame))
        expected.append(conversation.expected)
    assert expected == [*((name,) for name in PROTOCOL.events), ()]


def run(number: int, **changes: Any) -> list[str]:
    """Return the frames of the `number`-th clean answer of a session."""
    own = {"run_id": f"r{number}", "thread_id": "t"}
    return [
        json.dumps(event(place, message_id=f"{number}-{place}", **own) | changes) for place in range(1, 6)
    ]


def answers(*turns: list[str]) -> list[Answer]:
    """Send one message for each turn and feed the frames that come until the next."""
    conversation, found = greeted(), []
    for frames in turns:
        conversation.send("hello", "triage")
        for frame in frames:
            conversation.feed(frame, 0.1)
        found.append(conversation.answer("answer_timeout", "too long"))
    return found


def test_an_event_of_an_earlier_answer_came_late_and_is_not_taken_for_the_new_one() -> None:
    first, second = answers(run(1)[:4], [run(1)[4], *run(2)])
    assert (first.status, first.violations) == ("answer_timeout", ("agent_completed is missing",))
    assert (second.status, len(second.events)) == ("answered", 5)
    assert second.violations == ("agent_completed came late: it belongs to an earlier answer",)


def test_a_second_answer_to_one_message_is_named_event_by_event() -> None:
    (answer,) = answers([*run(1), *run(2)])
    assert answer.status == "answered"
    assert answer.violations[0] == "agent_started came after the end of the answer, in a second answer"
    assert len(answer.violations) == 5


def test_a_message_id_is_unique_in_the_whole_session_and_not_only_in_its_answer() -> None:
    again = json.dumps(event(3, message_id="1-3", run_id="r2", thread_id="t"))
    _, second = answers(run(1), [*run(2)[:2], again, *run(2)[3:]])
    assert second.violations == ("message_id of tool_executing was used before",)


def test_what_bears_another_users_or_sessions_id_is_foreign() -> None:
    mine = run(1)
    stray = event(2, message_id="x", run_id="r1", thread_id="t", user_id="u2", session_id="s2", sequence=2)
    (answer,) = answers([mine[0], json.dumps(stray), *mine[2:]])
    assert answer.foreign_ids == ("u2", "s2")
    assert answer.violations == (
        "user_id of agent_thinking differs from the one before",
        "session_id of agent_thinking differs from the one before",
    )


def test_the_agent_that_answers_is_the_one_that_the_events_name() -> None:
    frames = run(1)
    assert answers(frames)[0].agent == ""
    frames[0] = json.dumps(event(1, run_id="r1", thread_id="t", data={"agent": "data"}))
    assert answers(frames)[0].agent == "data"


def test_a_greeting_tells_user_session_and_revision_wherever_the_plan_says() -> None:
    plain = Conversation(CONTRACT)
    plain.begin(json.dumps({"type": "connection_ready", "user_id": "u", "revision": "r-2"}))
    assert (plain.user_id, plain.session_id, plain.revision) == ("u", "", "r-2")
    nowhere = Conversation(Contract(protocol=Protocol(revision_field=None)))
    nowhere.begin(json.dumps({"type": "connection_ready", "data": {"revision": "r-2", "session_id": 7}}))
    assert (nowhere.session_id, nowhere.revision) == ("7", "")
