"""The event contract, frame by frame, without a network."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runbook_lib.agent.conversation import MAX_FRAMES, Conversation
from runbook_lib.plan import Protocol
from runbook_lib.ports import Answer

PROTOCOL = Protocol()
GREETED = {"user_id": "u1", "session_id": "s1"}


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
    conversation = Conversation(PROTOCOL, GREETED)
    for number, frame in enumerate(frames, start=1):
        raw = frame if isinstance(frame, str | bytes) else json.dumps(frame)
        conversation.feed(raw, number / 10)
    return conversation.answer(None if conversation.ended else "closed", "lost")


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
    conversation = Conversation(PROTOCOL, GREETED)
    for frame in CLEAN[:3]:
        conversation.feed(json.dumps(frame), 0.1)
    answer = conversation.answer(stop, "the reason")
    assert (answer.status, answer.answer_s, answer.detail) == (stop, None, "the reason")
    assert answer.violations == ("tool_completed is missing", "agent_completed is missing")


def test_an_answer_without_end_is_given_up_at_its_500th_frame() -> None:
    answer = answer_to([event(2)] * (MAX_FRAMES + 1))
    assert (answer.status, len(answer.events)) == ("protocol_violation", MAX_FRAMES)
    assert answer.detail == f"the answer did not end within {MAX_FRAMES} frames"
    assert len(answer.violations) < 50


def test_a_stray_frame_before_the_message_is_named_and_searched_for_marks() -> None:
    conversation = Conversation(PROTOCOL, GREETED)
    conversation.stray(json.dumps(event(2)), "before the message was sent")
    for frame in CLEAN:
        conversation.feed(json.dumps(frame), 0.1)
    answer = conversation.answer()
    assert answer.violations == ("agent_thinking came before the message was sent",)
    assert len(answer.text.splitlines()) == 6


def test_the_session_id_is_that_of_the_greeting_else_of_the_events() -> None:
    assert Conversation(PROTOCOL, GREETED).session_id == "s1"
    conversation = Conversation(PROTOCOL)
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
