"""How sessions and polls are counted; the records are made by hand, the counting is the product's."""

from __future__ import annotations

from typing import Any

from probed_service import WINDOW, plan

from runbook_lib.evidence import EventSeen, HealthPoll, Measurement, Session
from runbook_lib.plan import Probes
from runbook_lib.ports import HttpReply
from runbook_lib.steps.prober import Seen, health_poll
from runbook_lib.steps.probes_measure import bad_sessions, conflicts, measure

PROBES = plan(concurrent_users=3, rounds=1).probes
EVENT = EventSeen(type="agent_started", at_s=0.1, sequence=1)


def session(number: int, probe: str = "isolation", **changes: Any) -> Session:
    """Return a good session of its own user."""
    fields = {
        "probe": probe, "role": "candidate", "number": number, "user": f"u{number}", "agent": "triage",
        "mark": f"m{number}", "status": "answered", "connect_s": 0.1, "answer_s": 0.2,
        "session_id": f"s{number}", "events": (EVENT,),
    }  # fmt: skip
    return Session(**(fields | changes))


def lost(number: int, status: str = "handshake_rejected", probe: str = "isolation") -> Session:
    """Return a session that never opened."""
    gone = {"connect_s": None, "answer_s": None, "session_id": "", "events": ()}
    return session(number, probe, status=status, detail="no", **gone)


def measured(metric: str, probes: Probes = PROBES, **seen: Any) -> Measurement:
    """Count what was seen and return one metric of it."""
    found = measure(probes, Seen(role="candidate", **seen), WINDOW)
    return next(each for each in found if each.metric == metric)


def figures(found: Measurement) -> tuple[float | None, int, int, int]:
    """Return value, samples, failed, missing."""
    return found.value, found.samples, found.failed, found.missing


def test_users_with_one_session_id_each_conflict_with_nobody() -> None:
    found = measured("session.conflicts", users=(session(0), session(1), session(2)))
    assert figures(found) == (0, 3, 0, 0)
    assert (found.unit, found.cell, found.note) == ("sessions", "03_tests#run-probe", "")
    assert found.evidence == ("evidence/probes.json", "evidence/probes_sessions.parquet")


def test_two_users_who_share_a_session_id_are_two_conflicts() -> None:
    users = (session(0), session(1), session(2, session_id="s0"))
    found = measured("session.conflicts", users=users)
    assert figures(found) == (2, 3, 0, 0)
    assert found.note == "u0 and u2 shared the session id s0"
    assert [each.user for each in bad_sessions(Seen(role="candidate", users=users))] == ["u0", "u2"]


def test_the_rounds_of_one_user_share_a_session_id_rightly() -> None:
    again = session(1, user="u0", session_id="s0")
    assert conflicts((session(0), again, session(2))) == {}


def test_a_session_that_the_server_ended_while_others_went_on_is_a_conflict() -> None:
    cut = session(1, status="closed", answer_s=None, detail="received 1012")
    assert conflicts((session(0), cut)) == {"u1": "u1 was cut off while others went on: received 1012"}


def test_a_service_that_ends_all_sessions_is_no_conflict_among_users() -> None:
    cut = {"status": "closed", "answer_s": None}
    users = (session(0), session(1), session(0, **cut), session(1, **cut))
    assert conflicts(users) == {}


def test_a_user_who_never_connected_is_failed_and_one_without_session_id_is_missing() -> None:
    users = (session(0), session(1), lost(2))
    assert figures(measured("session.conflicts", users=users)) == (0, 2, 1, 0)
    users = (session(0), session(1), session(2, session_id=""))
    assert figures(measured("session.conflicts", users=users)) == (0, 2, 0, 1)


def test_a_single_connected_user_is_no_evidence_of_conflicts_or_isolation() -> None:
    users = (session(0), lost(1), lost(2))
    for metric in ("session.conflicts", "isolation.leaks"):
        found = measured(metric, users=users)
        assert figures(found) == (None, 1, 2, 0)
        assert found.note == "isolation session 1 (triage): handshake rejected: no"


def test_a_user_in_whose_stream_others_appear_is_one_leak_however_often() -> None:
    users = (
        session(0, foreign_marks=("m1", "m2")),
        session(3, user="u0", foreign_marks=("m1",)),
        session(1),
        session(2),
    )
    found = measured("isolation.leaks", users=users)
    assert figures(found) == (1, 3, 0, 0)
    assert found.note == "isolation session 0: u0 received m1 of u1"


def test_a_user_who_received_nothing_is_no_sample_of_isolation() -> None:
    silent = session(2, status="answer_timeout", answer_s=None, events=())
    assert figures(measured("isolation.leaks", users=(session(0), session(1), silent))) == (0, 2, 1, 0)


def test_a_leak_to_a_user_without_an_event_still_counts() -> None:
    stray = session(2, status="closed", answer_s=None, events=(), foreign_marks=("m0",))
    assert figures(measured("isolation.leaks", users=(session(0), session(1), stray))) == (1, 3, 0, 0)


def test_a_golden_session_without_its_own_mark_is_a_failure() -> None:
    golden = (session(0, "golden-path"), session(1, "golden-path", detail="the answer does not hold …"))
    found = measured("golden_path.failures", golden_path=golden)
    assert figures(found) == (1, 2, 0, 0)
    assert found.note == "golden-path session 1 (triage): answered: the answer does not hold …"


def test_a_start_counts_once_it_was_sent_and_a_refused_one_is_failed() -> None:
    starts = (
        session(0, "factory"), session(1, "factory", status="agent_error", detail="factory_failure"),
        lost(2, probe="factory"), lost(3, "login_failed", "factory"), lost(4, "connect_timeout", "factory"),
    )  # fmt: skip
    assert figures(measured("factory.failures", starts=starts)) == (1, 2, 3, 4)


def test_events_are_judged_on_answers_and_on_those_cut_short_but_not_on_failed_agents() -> None:
    faulty = {"violations": ("agent_completed is missing",)}
    golden = (
        session(0, "golden-path"),
        session(1, "golden-path", status="answer_timeout", **faulty),
        session(2, "golden-path", status="answer_timeout", events=(), **faulty),
        session(3, "golden-path", status="agent_error"),
        session(4, "golden-path", status="protocol_violation", violations=("frame 1 is not a JSON object",)),
        session(5, "golden-path", status="closed", **faulty),
    )
    found = measured("events.violations", plan(golden_path_sessions=6).probes, golden_path=golden)
    assert (found.value, found.samples) == (2, 3)
    assert found.note == "golden-path session 1 (triage): agent_completed is missing"


def poll(status: int | None, body: object) -> HealthPoll:
    """Read one reply of the health endpoint."""
    detail = "" if status == 200 else "no"
    reply = HttpReply(status=status, json=body, elapsed_s=0.1, detail=detail)
    return health_poll("candidate", 0.2, reply, PROBES.health)


def test_a_poll_is_good_only_with_200_and_every_component_healthy() -> None:
    good = {"components": {"a": {"status": "healthy"}, "b": {"status": "ok"}}}
    bad = {"components": {"a": {"status": "healthy"}, "b": {"status": "degraded"}, "c": "up"}}
    polls = (
        poll(200, good),
        poll(200, bad),
        poll(503, good),
        poll(None, None),
        poll(200, {}),
        poll(200, "ok"),
    )
    found = measured("health.failing_polls", polls=polls[:3])
    assert figures(found) == (2, 3, 0, 0)
    assert found.note == "the poll at 0.2 s answered 200; not healthy: b, c"
    assert measured("health.failing_polls", polls=polls[3:]).value == 3
    assert polls[4].detail == "the answer names no components"
