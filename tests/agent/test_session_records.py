"""Marks and records of sessions."""

from __future__ import annotations

import dataclasses
from typing import Any

from runbook_lib.dotted import at_path
from runbook_lib.errors import HandshakeRejected, ProtocolViolation, TurnTimeout
from runbook_lib.ports import Answer
from runbook_lib.sessions import Attempt, user_number

ATTEMPT = Attempt(
    probe="load", role="candidate", number=8, user_number=17, user="probe-17@example.test", agent="triage"
)


class _Chat:
    """What a record asks of an open session."""

    session_id, user_id, revision = "s", "u", "r-1"


CHAT: Any = _Chat()


def answered(text: str) -> Answer:
    """Return a clean answer that holds `text`."""
    return Answer(status="answered", answer_s=0.2, events=(), violations=(), text=text)


def test_a_mark_names_role_probe_user_and_turn() -> None:
    assert ATTEMPT.mark == "candidate-load-u17t1"


def test_no_two_users_of_any_role_share_a_number() -> None:
    numbers = [user_number(role, index) for role in ("candidate", "baseline") for index in range(50)]
    assert sorted(numbers) == list(range(1, 101))


def test_only_marks_of_other_users_are_foreign() -> None:
    text = (
        "candidate-load-u17t1 candidate-isolation-u17t2 "  # one's own, from another turn
        '{"x":"candidate-load-u1t1"} baseline-golden-path-u170t12, candidate-load-u1t1 again'
    )
    assert ATTEMPT.foreign_marks(text) == ("candidate-load-u1t1", "baseline-golden-path-u170t12")


def test_a_mark_is_not_found_inside_a_longer_one_or_a_revision_name() -> None:
    assert ATTEMPT.foreign_marks("candidate-load-u17t12 backend-service-00002-u1t candidate-00007") == ()


def test_what_begins_like_marks_without_end_is_searched_in_time() -> None:
    hostile = "candidate-" * 40_000 + " baseline-load-u4t1"
    assert ATTEMPT.foreign_marks(hostile) == ("baseline-load-u4t1",)


def test_an_answer_without_its_own_mark_says_so() -> None:
    good = ATTEMPT.ended(answered("you said candidate-load-u17t1"), chat=CHAT, connect_s=0.1)
    bad = ATTEMPT.ended(answered("you said candidate-load-u17t11"), chat=CHAT, connect_s=0.1)
    assert (good.status, good.detail) == ("answered", "")
    assert (bad.status, bad.detail) == (
        "answered", "the answer does not hold its own mark candidate-load-u17t1",
    )  # fmt: skip


def test_a_record_tells_user_session_and_revision_and_what_was_foreign() -> None:
    answer = dataclasses.replace(answered(ATTEMPT.mark), foreign_ids=("u2",))
    made = ATTEMPT.ended(answer, chat=CHAT, connect_s=0.1)
    assert (made.session_id, made.user_id, made.revision, made.foreign_ids) == ("s", "u", "r-1", ("u2",))


def test_an_answer_of_another_kind_of_agent_says_so() -> None:
    answer = dataclasses.replace(answered(ATTEMPT.mark), agent="data")
    made = ATTEMPT.ended(answer, chat=CHAT, connect_s=0.1)
    assert (made.status, made.detail) == ("answered", "the agent that answered was data, not triage")


def test_a_session_that_did_not_begin_with_the_greeting_broke_the_protocol() -> None:
    made = ATTEMPT.not_connected(ProtocolViolation("/ws", "began with error instead of connection_ready"))
    assert (made.status, made.connect_s) == ("protocol_violation", None)
    assert made.violations == ("/ws began with error instead of connection_ready",)


def test_a_session_that_never_opened_has_no_connection_time() -> None:
    rejected = ATTEMPT.not_connected(HandshakeRejected("/ws", 504, "busy"))
    late = ATTEMPT.not_connected(TurnTimeout("the session on /ws", 40))
    unknown = ATTEMPT.login_failed(HandshakeRejected("/auth/login", 401, "no"))
    assert [each.status for each in (rejected, late, unknown)] == [
        "handshake_rejected", "connect_timeout", "login_failed",
    ]  # fmt: skip
    assert {each.connect_s for each in (rejected, late, unknown)} == {None}
    assert rejected.detail == "/ws answered 504: busy"


def test_a_dotted_path_ends_in_none_where_a_part_is_missing() -> None:
    document = {"data": {"response": "hi", "zero": 0}}
    assert at_path(document, "data.response") == "hi"
    assert at_path(document, "data.zero") == 0
    assert [at_path(document, path) for path in ("data.x", "x.y", "data.response.z", "")] == [None] * 4
    assert at_path([1], "data") is None
