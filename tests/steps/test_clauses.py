"""Each clause about sessions and tokens, each event fault and each factory fault is told by its name."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from fault_services import serving
from probed_service import CANDIDATE, deployed, plan, ports

from runbook_lib.agent.client import AgentClient
from runbook_lib.catalogue import CLAUSES
from runbook_lib.emulator.sample_service.defects import (
    EVENT_FAULTS,
    FACTORY_FAULTS,
    SESSION_CONFUSION,
    WEAK_AUTH,
)
from runbook_lib.evidence import ClauseSeen, Measurement, ProbesEvidence
from runbook_lib.plan import Probes
from runbook_lib.steps.clauses import Ground, due_clauses, forgeries, try_clauses
from runbook_lib.steps.probes import probe

PROMISES: dict[str, Any] = {
    "protocol": {"resume_path": "/ws?session_id={session_id}"},
    "auth": {"logout_path": "/auth/logout", "short_lived": {"lifetime_s": 1}},
}
PROBES = plan(**PROMISES).probes
# What goes wrong together: whoever does not look at the signature does not see a wrong claim, either.
ALSO = {
    "no-credentials": {"token-alone"},
    "forged-signature": {"anothers-claims", "expired-token"},
    "anothers-claims": {"expired-token"},
    "reconnect": {"drop-in-mid-stream", "resume"},
    "drop-in-mid-stream": {"same-user-twice"},
}


def those_of(metric: str) -> Probes:
    """Return probes that promise the clauses of one metric alone."""
    others = tuple(name for name, clause in CLAUSES.items() if clause.metric != metric)
    return plan(**PROMISES, without=others).probes


async def tried(variant: str, probes: Probes = PROBES, **environ: str) -> dict[str, ClauseSeen]:
    """Try all clauses on one variant; return what was seen by clause."""
    async with serving(variant, **environ) as url:
        agents = AgentClient(probes, "runbook/test", {})
        ground = Ground(role="candidate", url=url, probes=probes, agents=agents)
        return {each.seen.clause: each.seen for each in await try_clauses(ground, 0)}


async def broken_by(variant: str, faults: tuple[str, ...], metric: str) -> dict[str, dict[str, str]]:
    """Return by fault how each clause was broken by it; every fault is a service of its own."""
    seen = await asyncio.gather(*(tried(variant, those_of(metric), FAULTS=fault) for fault in faults))
    return {
        fault: {name: each.detail for name, each in clauses.items() if each.outcome == "broken"}
        for fault, clauses in zip(faults, seen, strict=True)
    }


def check_names(broken: dict[str, dict[str, str]]) -> None:
    """Each fault broke the clause of its name, in words, and none that has nothing to do with it."""
    for fault, clauses in broken.items():
        assert fault in clauses, broken
        assert set(clauses) - {fault} <= ALSO.get(fault, set()), broken
        assert all(clauses.values()), broken


async def test_a_healthy_service_keeps_every_clause_and_all_are_tried() -> None:
    seen = await tried("healthy")
    assert {name: each.outcome for name, each in seen.items()} == dict.fromkeys(CLAUSES, "kept")


def test_every_clause_has_a_fault_of_its_name() -> None:
    assert set(WEAK_AUTH) | set(SESSION_CONFUSION) == set(CLAUSES)


async def test_each_fault_of_a_weak_login_breaks_the_clause_of_its_name() -> None:
    broken = await broken_by("weak-auth", WEAK_AUTH, "auth.breaches")
    check_names(broken)
    assert broken["unsigned-token"] == {"unsigned-token": "was let in"}
    crashed = "was not refused but met a failure: /ws answered 500: 500 Internal"
    assert broken["garbage-token"]["garbage-token"].startswith(crashed)


async def test_each_confusion_of_sessions_breaks_the_clause_of_its_name() -> None:
    broken = await broken_by("session-confusion", SESSION_CONFUSION, "session.breaches")
    check_names(broken)
    kicked = "probe-5@example.test: closed: the server ended the session: received 4409"
    assert broken["second-login"]["second-login"].startswith(kicked)
    mark = "candidate-same-user-twice-u1t"
    assert broken["same-user-twice"]["same-user-twice"] in (
        f"the session that sent {mark}1 received {mark}2, too",
        f"the session that sent {mark}2 received {mark}1, too",
    )


def test_only_what_the_plan_promises_is_due() -> None:
    bare = plan().probes
    asks_for_more = {"resume", "resume-of-anothers", "expired-token", "logged-out-token"}
    assert set(due_clauses(bare)) == set(CLAUSES) - asks_for_more
    by_header = plan(protocol={"subprotocols": (), "headers": {"Authorization": "Bearer {token}"}}).probes
    assert {"marker-alone", "token-alone"}.isdisjoint(due_clauses(by_header))
    assert "reconnect" not in due_clauses(plan(without=("reconnect",)).probes)
    assert due_clauses(PROBES) == tuple(CLAUSES)


async def test_a_service_that_is_away_is_not_tried_and_one_with_opaque_tokens_has_none_to_forge() -> None:
    async with serving("healthy") as url:
        pass
    ground = Ground(role="candidate", url=url, probes=PROBES, agents=AgentClient(PROBES, "test", {}))
    away = {each.seen.clause: each.seen for each in await try_clauses(ground, 0)}
    assert away["reconnect"].outcome == "not tried"
    assert away["reconnect"].detail.startswith("/auth/login answered nothing: ConnectError")
    assert away["garbage-token"].outcome == "broken"  # it was not refused, whoever failed

    async def login(_: web.Request) -> web.Response:
        return web.json_response({"access_token": "opaque-4711"})

    app = web.Application()
    app.router.add_post("/auth/login", login)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    probes = plan(without=[name for name in CLAUSES if name not in ("unsigned-token", "forged-signature")])
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    agents = AgentClient(probes.probes, "test", {})
    opaque = await try_clauses(Ground(role="candidate", url=url, probes=probes.probes, agents=agents), 0)
    await runner.cleanup()
    assert [(each.seen.clause, each.seen.outcome, each.seen.detail) for each in opaque] == [
        ("forged-signature", "kept", ""),
        ("unsigned-token", "does not apply", "the service's tokens are no JSON Web Tokens"),
    ]


def test_forgeries_differ_from_the_token_where_they_say() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"  # noqa: S105
    other = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.b3RoZXI"
    altered = forgeries.altered_signature(token)
    assert altered != token
    assert altered.rpartition(".")[0] == token.rpartition(".")[0]
    assert forgeries.with_claims_of(token, other) == "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.c2lnbmF0dXJl"
    assert forgeries.unsigned(token) == "eyJhbGciOiAibm9uZSIsICJ0eXAiOiAiSldUIn0.eyJzdWIiOiIxIn0."
    assert forgeries.altered_signature("opaque") != "opaque"
    assert forgeries.unsigned("a.b.c") is forgeries.with_claims_of("opaque", token) is None


async def measured(variant: str, **environ: str) -> tuple[dict[str, Measurement], ProbesEvidence]:
    """Probe one variant in small as a candidate without baseline, and without clauses."""
    of = plan(golden_path_sessions=8, concurrent_users=4, rounds=3, starts_per_agent=4, health={"polls": 1},
              without=tuple(CLAUSES))  # fmt: skip
    async with serving(variant, **environ) as url:
        evidence, _ = await probe(of, deployed(candidate_url=url), ports(of))
    return {each.metric: each for each in evidence.measurements if each.role == "candidate"}, evidence


def bad(found: dict[str, Measurement]) -> set[str]:
    """Return the metrics that saw something bad; clauses were not asked for."""
    return {name for name, each in found.items() if each.value}


EVENT_WORDS = {
    "duplicate": "tool_executing came twice",
    "gap": "sequence of tool_completed is 5 after 3",
    "late": "agent_thinking came late: it belongs to an earlier answer",
    "missing-field": "agent_started has no timestamp",
    "other-run": "run_id of tool_completed differs from the one before",
    "out-of-order": "sequence of tool_executing is 3 after 1",
    "second-answer": "agent_started came after the end of the answer, in a second answer",
    "unknown-type": "agent_thought is an unknown type",
}


async def test_each_event_fault_is_a_violation_that_says_which_and_breaks_nothing_else() -> None:
    assert set(EVENT_WORDS) == set(EVENT_FAULTS)
    found = await asyncio.gather(*(measured("event-faults", FAULTS=fault) for fault in EVENT_FAULTS))
    for fault, (metrics, _) in zip(EVENT_FAULTS, found, strict=True):
        assert (fault, bad(metrics)) == (fault, {"events.violations"})
        assert metrics["events.violations"].note.endswith(EVENT_WORDS[fault])


async def test_each_factory_fault_is_a_failure_of_the_factory_and_of_nothing_else() -> None:
    (race, _), (wrong, _) = await asyncio.gather(
        *(measured("factory-faults", FAULTS=fault) for fault in FACTORY_FAULTS)
    )
    assert bad(race) == bad(wrong) == {"factory.failures"}
    assert race["factory.failures"].note.endswith("data is being built for another user")
    assert wrong["factory.failures"].note.endswith("the agent that answered was triage, not reporting")


async def test_another_revision_and_dropped_sessions_that_stay_counted_are_told() -> None:
    (healthy, evidence), (wrong, _) = await asyncio.gather(measured("healthy"), measured("wrong-revision"))
    assert bad(healthy) == set()
    assert [row.event for row in evidence.event_latencies] == list(PROBES.protocol.events)
    assert all(0 <= row.median_s <= row.p95_s <= row.max_s for row in evidence.event_latencies)
    assert bad(wrong) == {"revision.strangers"}
    note = wrong["revision.strangers"].note
    assert note.endswith(f"was answered by backend-service-00000-old, not {CANDIDATE}")


async def test_a_dropped_session_that_stays_counted_is_left_open() -> None:
    of = plan(golden_path_sessions=1, concurrent_users=2, rounds=1, starts_per_agent=1, health={"polls": 1})
    async with serving("drop-leak") as url:
        evidence, _ = await probe(of, deployed(candidate_url=url), ports(of))
    found = {each.metric: each for each in evidence.measurements if each.role == "candidate"}
    assert bad(found) == {"sessions.left_by_probes"}
    assert found["sessions.left_by_probes"].note == "0 before, 1 after"


async def test_an_event_of_another_user_names_sender_and_receiver() -> None:
    metrics, evidence = await measured("rare-leak", LEAK_SHARE="0.3", LEAK_SEED="891")
    assert metrics["isolation.leaks"].value == len({leak.receiver for leak in evidence.leaks})
    assert len(evidence.leaks) > 3
    assert all(leak.sender and leak.sender != leak.receiver for leak in evidence.leaks)
    first = evidence.leaks[0]
    assert metrics["isolation.leaks"].note == (
        f"{first.probe} session {first.session}: {first.receiver} received {first.what} of {first.sender}"
    )
