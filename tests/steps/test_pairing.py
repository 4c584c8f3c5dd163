"""What each session is worth to the criteria that compare pairs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runbook_lib.evidence import EventSeen, Role, Session
from runbook_lib.plan import Plan
from runbook_lib.plan.criterion import Criterion
from runbook_lib.steps.pairing import count_pairs, session_value

GOOD = {
    "status": "answered", "connect_s": 0.3, "lag_s": 0.1, "answer_s": 1.5,
    "events": (EventSeen(type="agent_started", at_s=0.2), EventSeen(type="agent_completed", at_s=1.5)),
}  # fmt: skip
LOST = {"status": "handshake_rejected", "lag_s": 0.0}


def session(role: Role = "candidate", number: int = 0, **fields: Any) -> Session:
    named = {"probe": "load", "role": role, "number": number, "user": "u", "agent": "triage", "mark": "m"}
    return Session(**(named | fields))


@pytest.mark.parametrize(
    ("metric", "fields", "value"),
    [
        ("pairs.failures", GOOD, 0),
        ("pairs.failures", LOST, 1),
        ("pairs.violations", GOOD, 0),
        ("pairs.violations", GOOD | {"violations": ("tool_executing came twice",)}, 1),
        ("pairs.violations", LOST, 1),
        ("pairs.leaks", GOOD, 0),
        ("pairs.leaks", LOST | {"foreign_marks": ("candidate-load-u9t1",)}, 1),
        ("pairs.connect_s", GOOD, 0.2),  # less our own lag
        ("pairs.connect_s", LOST, math.inf),
        ("pairs.first_event_s", GOOD, 0.2),
        ("pairs.first_event_s", LOST, math.inf),
        ("pairs.answer_s", GOOD, 1.5),
        ("pairs.answer_s", LOST, math.inf),
    ],
)
def test_a_session_that_never_got_there_is_the_worst_there_is(
    metric: str, fields: dict[str, Any], value: float
) -> None:
    assert session_value(metric)(session(**fields)) == pytest.approx(value)


def test_a_session_that_heard_nothing_does_not_show_that_users_are_separated() -> None:
    assert session_value("pairs.leaks")(session(**LOST)) is None
    cut_off = {"status": "closed", "events": GOOD["events"]}
    assert session_value("pairs.leaks")(session(**cut_off)) == 0
    asked = {"id": "leaks", "metric": "pairs.leaks", "paired": {"tolerance": 0, "margin": 0.1}}
    both = [session("candidate", 0, **LOST), session("candidate", 1, **GOOD), session("baseline", 1, **LOST)]
    (look,) = count_pairs(plan_with(asked), 0, range(2), both)["leaks"].looks
    assert (look.steps, look.lost) == ({0: 1}, 1)  # the baseline's part in it does not matter


def test_pairs_are_counted_by_number_and_what_was_due_and_not_made_is_lost() -> None:
    plan = plan_with(
        {"id": "failures", "metric": "pairs.failures", "paired": {"tolerance": 0, "margin": 0.1}},
        {"id": "slow", "metric": "pairs.answer_s", "paired": {"tolerance": 0, "margin": 0.1, "above_s": 1}},
        {"id": "times", "metric": "pairs.answer_s", "paired": {"tolerance": 1, "margin": 1.5}},
    )
    made = [
        session("candidate", 60, **GOOD), session("baseline", 60, **GOOD | {"answer_s": 0.75}),
        session("candidate", 61, **LOST), session("baseline", 61, **GOOD),
        session("candidate", 62, **GOOD),
    ]  # fmt: skip
    counts = count_pairs(plan, 1, range(60, 63), made)
    assert set(counts) == {"failures", "slow", "times"}
    assert counts["failures"].looks[0].steps == {0: 1, 1: 1}
    assert counts["slow"].looks[0].steps == {0: 1, 1: 1}
    assert counts["times"].looks[0].steps == {70: 1, 200: 1}  # twice as slow, and never
    assert {(each.looks[0].number, each.lost) for each in counts.values()} == {(1, 1)}


def plan_with(*criteria: dict[str, Any]) -> Plan:
    return Plan.model_validate(
        {
            "issue": {"title": "A plan"},
            "target": {"project": "staging", "region": "here", "service": "chat"},
            "candidate": {"image": "chat:2"},
            "criteria": [Criterion.model_validate({"title": "T"} | each).model_dump() for each in criteria],
        }
    )
