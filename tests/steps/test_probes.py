"""The probes step against real processes of the sample service, one defect at a time."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from probed_service import BASELINE, deployed, plan, ports, service

from runbook_lib.evidence import Measurement, ProbesEvidence, Role, Session
from runbook_lib.plan import Plan
from runbook_lib.steps.probes import observe_probes

METRICS = {
    "health.failing_polls", "golden_path.failures", "session.conflicts", "factory.failures",
    "events.violations", "isolation.leaks", "session.breaches", "auth.breaches", "revision.strangers",
    "sessions.left_by_probes",
}  # fmt: skip
FULL_SAMPLES = {
    "health.failing_polls": 3, "golden_path.failures": 2, "session.conflicts": 6, "factory.failures": 9,
    "events.violations": 29, "isolation.leaks": 6, "session.breaches": 4, "auth.breaches": 7,
}  # fmt: skip
DUE = FULL_SAMPLES | {"events.violations": 23, "revision.strangers": 1, "sessions.left_by_probes": 1}


def by_metric(evidence: ProbesEvidence, role: Role = "candidate") -> dict[str, Measurement]:
    """Return one role's measurements."""
    return {each.metric: each for each in evidence.measurements if each.role == role}


def probe_variant(
    variant: str, of: Plan | None = None, **environ: str
) -> tuple[dict[str, Measurement], ProbesEvidence, tuple[Session, ...]]:
    """Probe one variant as the candidate of a service without baseline."""
    of = of or plan()
    with service(variant, **environ) as url:
        evidence, sessions = observe_probes(of, deployed(candidate_url=url), ports(of))
    return by_metric(evidence), evidence, sessions


def not_zero(measured: dict[str, Measurement]) -> set[str]:
    """Return the metrics that are not a clean zero."""
    return {name for name, each in measured.items() if each.value != 0}


def test_a_healthy_service_gives_zeros_with_all_samples_on_both_revisions() -> None:
    of = plan(golden_path_sessions=5, concurrent_users=8, starts_per_agent=6, health={"polls": 10})
    with service("healthy") as candidate, service("healthy", K_REVISION=BASELINE) as baseline:
        evidence, sessions = observe_probes(of, deployed(candidate, baseline), ports(of))
    samples = (10, 5, 8, 18, 45, 8, 4, 7)
    for role in ("candidate", "baseline"):
        measured = by_metric(evidence, role)
        assert {each.value for each in measured.values()} == {0.0}
        assert {each.failed + each.missing for each in measured.values()} == {0}
        assert tuple(measured[name].samples for name in FULL_SAMPLES) == samples
    assert len({each.mark for each in sessions}) == len(sessions) == 90
    assert evidence.bad_sessions == ()
    assert evidence.example is not None
    assert (evidence.example.status, len(evidence.example.events)) == ("answered", 5)


ONE_DEFECT: dict[str, set[str]] = {
    "unhealthy": {"health.failing_polls"},
    "missing-event": {"events.violations"},
    "isolation-leak": {"isolation.leaks"},
    "session-conflict": {"session.conflicts"},
    "factory-failure": {"factory.failures"},
}


@pytest.mark.parametrize(("variant", "metrics"), ONE_DEFECT.items(), ids=ONE_DEFECT)
def test_each_defect_shows_in_the_metric_that_names_it_and_in_no_other(
    variant: str, metrics: set[str]
) -> None:
    measured, evidence, sessions = probe_variant(variant)
    assert not_zero(measured) == metrics
    for name in metrics:
        assert measured[name].value is not None
        assert measured[name].note
    errors = sum(each.status == "agent_error" for each in sessions)  # the factory's matter, not the events'
    samples = FULL_SAMPLES | {"events.violations": FULL_SAMPLES["events.violations"] - errors}
    if variant == "isolation-leak":  # whoever received something is a sample, also outside of the probe
        samples["isolation.leaks"] = measured["isolation.leaks"].samples
    assert {name: measured[name].samples for name in samples} == samples
    assert bool(evidence.bad_sessions) == (variant != "unhealthy")


def test_an_unhealthy_service_names_the_failing_component() -> None:
    measured, evidence, _ = probe_variant("unhealthy")
    assert {each.status for each in evidence.polls} == {503}
    assert {each.failing for each in evidence.polls} == {("agent_registry",)}
    assert measured["health.failing_polls"].value == 3
    assert measured["health.failing_polls"].note.endswith(" answered 503; not healthy: agent_registry")


def test_a_service_that_stops_answering_costs_one_time_limit_a_probe_and_the_rest_is_missing() -> None:
    measured, _, sessions = probe_variant("no-answer", plan(answer_timeout_s=1))
    assert {each.status for each in sessions} == {"answer_timeout"}
    golden, factory = measured["golden_path.failures"], measured["factory.failures"]
    assert (golden.value, golden.samples, golden.missing) == (1, 1, 1)
    assert (factory.value, factory.samples, factory.missing) == (3, 3, 6)
    assert {each.agent for each in sessions if each.probe == "factory"} == {"triage", "data", "reporting"}
    assert golden.note.startswith(
        "golden-path session 0 (triage): answer timeout: the final event did not come within 1 s; "
        "the last event was agent_thinking at 0."
    )
    assert measured["events.violations"].value == 15
    assert measured["session.breaches"].value == 4
    assert measured["session.conflicts"].value == measured["isolation.leaks"].value == 0


def test_a_slow_handshake_within_the_limit_is_no_failure_but_is_seen() -> None:
    measured, _, sessions = probe_variant("slow-connect", SLOW_CONNECT_S="0.5")
    assert not_zero(measured) == set()
    assert max(each.connect_s or 0 for each in sessions) > 0.5


def test_a_handshake_beyond_the_limit_is_a_failed_attempt() -> None:
    measured, _, sessions = probe_variant("slow-connect", plan(connect_timeout_s=1), SLOW_CONNECT_S="30")
    late = [each for each in sessions if each.status == "connect_timeout"]
    assert {each.connect_s for each in late} == {None}
    assert measured["session.conflicts"].failed >= 1
    assert measured["session.conflicts"].samples + measured["session.conflicts"].failed == 6
    assert measured["isolation.leaks"].failed == measured["session.conflicts"].failed


def test_the_previous_revision_serves_a_quiet_user_and_fails_several() -> None:
    of = plan(concurrent_users=8, starts_per_agent=6)
    with service("healthy") as candidate, service("previous", K_REVISION=BASELINE) as baseline:
        evidence, _ = observe_probes(of, deployed(candidate, baseline), ports(of))
    assert not_zero(by_metric(evidence, "candidate")) == set()
    before = by_metric(evidence, "baseline")
    assert not_zero(before) - {"session.breaches"} == {
        "session.conflicts", "factory.failures", "isolation.leaks",
    }  # fmt: skip
    assert before["session.conflicts"].failed >= 1
    assert {each.role for each in evidence.bad_sessions} == {"baseline"}


def test_a_revision_without_url_has_no_values_and_everything_missing() -> None:
    of = plan()
    evidence, sessions = observe_probes(of, deployed(), ports(of))
    assert sessions == ()
    candidate, baseline = by_metric(evidence, "candidate"), by_metric(evidence, "baseline")
    for measured in (candidate, baseline):
        assert set(measured) == METRICS
        assert {(each.value, each.samples) for each in measured.values()} == {(None, 0)}
        assert {name: each.missing for name, each in measured.items()} == DUE
    assert {each.note for each in candidate.values()} == {
        "the candidate has no URL, since it never became ready; it was not probed"
    }
    assert {each.note for each in baseline.values()} == {
        "there is no baseline to probe: this is the service's first revision"
    }
    assert len(evidence.notes) == 2


def test_a_port_where_nobody_listens_is_failure_not_silence() -> None:
    of = plan()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    evidence, _ = observe_probes(of, deployed(candidate_url=url), ports(of))
    measured = by_metric(evidence)
    assert (measured["health.failing_polls"].value, measured["health.failing_polls"].samples) == (3, 3)
    assert (measured["golden_path.failures"].value, measured["golden_path.failures"].samples) == (2, 2)
    for name, failed in (("session.conflicts", 6), ("isolation.leaks", 6), ("factory.failures", 9)):
        assert (measured[name].value, measured[name].samples, measured[name].failed) == (None, 0, failed)
        assert "login failed: /auth/login answered nothing: ConnectError" in measured[name].note
    assert (measured["events.violations"].value, measured["events.violations"].samples) == (None, 0)


async def test_the_step_runs_where_a_loop_is_running_already_as_in_a_kernel() -> None:
    of = plan(agents=("triage",), starts_per_agent=1, rounds=1, golden_path_sessions=1, health={"polls": 1})

    def in_a_cell() -> tuple[ProbesEvidence, Any]:
        assert asyncio.get_running_loop()
        return observe_probes(of, deployed(candidate_url=url), ports(of))

    with service("healthy") as url:
        evidence, _ = in_a_cell()
    assert not_zero(by_metric(evidence)) == set()
