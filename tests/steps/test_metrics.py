"""The metrics step: real load on pairs of revisions, and what it says of each defect."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

import local
import pytest
from cloud import Staging, measured
from patience import eventually

from runbook_lib.errors import RunRefused
from runbook_lib.evidence import DeployEvidence, Measurement, Session, Window
from runbook_lib.evidence.pairs import PairCounts
from runbook_lib.plan import Plan
from runbook_lib.steps.metrics import MetricsObservation, measure

SESSIONS = 15
LOAD = {"sessions": SESSIONS, "rate_per_s": 10, "http_paths": ["/api/agents"]}
SERIES = ["time", "role", "metric", "value", "count", "label", "unit"]


class Listed:
    """Keeps the sessions of a small load in a list."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []

    def add(self, sessions: Sequence[Session], after_s: float = 0.0) -> None:
        self.sessions += [
            dataclasses.replace(each, intended_s=each.intended_s + after_s) for each in sessions
        ]

    def at(self, rows: Collection[int]) -> dict[int, Session]:
        return {row: self.sessions[row] for row in rows}


def metrics_plan(staging: Staging, **sections: object) -> Plan:
    """Return a plan with a small load."""
    return staging.plan(**{"probes": {"load": LOAD, "answer_timeout_s": 10}, **sections})


def observe(staging: Staging, image: str, baseline: str = "healthy", **env: str) -> MetricsObservation:
    """Deploy a variant beside a baseline, healthy unless told, and load both."""
    staging.create(f"sample-agent:{baseline}")
    plan = metrics_plan(staging, candidate={"image": f"sample-agent:{image}", "env": env})
    deployed = staging.deploy(plan)
    warm_up(staging, deployed)
    return measure(plan, deployed, staging.ports(plan), Listed())


def warm_up(staging: Staging, deployed: DeployEvidence) -> None:
    """Ask both revisions once, as probes do, and wait until that is counted and so is not of the load.

    The deployment itself has asked the candidate, too.
    """
    for url in (deployed.candidate_url, deployed.baseline_url):
        local.get(f"{url}/health", timeout=30)
    window = Window(start=deployed.window.start, end=deployed.window.start + timedelta(hours=1))
    eventually(lambda: staging.cloud.monitoring.read("request_count", window)["value"].sum() == 3)


def value(found: Measurement) -> float:
    """Return a value that must be there."""
    assert found.value is not None, found
    return found.value


def test_two_healthy_revisions_give_full_samples_and_name_no_defect(staging: Staging) -> None:
    seen = observe(staging, "healthy")

    assert seen.evidence.sessions == {"candidate": SESSIONS, "baseline": SESSIONS}
    assert list(seen.series.columns) == SERIES
    assert set(seen.series["metric"]) == {"requests", "request latency", "memory", "startup"}
    for role in ("candidate", "baseline"):
        found = measured(seen.evidence, role)
        assert {each.failed + each.missing for each in found.values()} == {0}
        assert 0 < value(found["load.connect_max_s"]) < 5
        assert 0.1 < value(found["load.answer_max_s"]) < 5
        assert (value(found["load.failures"]), found["load.failures"].samples) == (0, SESSIONS)
        assert (value(found["sessions.left_open"]), found["sessions.left_open"].samples) == (0, SESSIONS)
        # Login, WebSocket and one GET for each session, and two health requests.
        assert value(found["requests.error_ratio"]) == 0
        assert found["requests.error_ratio"].samples == 3 * SESSIONS + 2
        assert abs(value(found["memory.growth_mib"])) < 12
        assert found["memory.growth_mib"].samples >= 2
        assert 0.05 < value(found["startup.latency_s"]) < 5
        assert found["startup.latency_s"].samples >= 1
    assert seen.starts.service.startswith("other:projects/")
    assert seen.starts.earlier == ()
    for started in (seen.starts.candidate, seen.starts.baseline):
        assert 0.05 < started[0].took_s < 5
        assert started[0].revision.startswith(seen.starts.service.rpartition("/")[2])
    assert seen.starts.candidate[0].revision != seen.starts.baseline[0].revision


def test_failed_requests_are_named_on_one_revision_and_a_memory_leak_on_the_other(staging: Staging) -> None:
    seen = observe(staging, "error-rate", baseline="memory-leak").evidence
    candidate, baseline = measured(seen), measured(seen, "baseline")

    wrong = candidate["requests.error_ratio"]
    assert value(wrong) == pytest.approx(2 / (3 * SESSIONS + 2))  # each 7th of 15 GETs
    assert wrong.note == f"2 of {3 * SESSIONS + 2} requests answered 5xx"
    assert value(baseline["requests.error_ratio"]) == 0
    leaked = value(baseline["memory.growth_mib"]) - value(candidate["memory.growth_mib"])
    assert leaked == pytest.approx(SESSIONS * 1.5, abs=10)  # 1.5 MiB a chat
    for found in (candidate, baseline):
        assert value(found["sessions.left_open"]) == value(found["load.failures"]) == 0


def test_a_slow_start_is_named_on_one_revision_and_a_session_leak_on_the_other(staging: Staging) -> None:
    seen = observe(staging, "slow-start", baseline="session-leak", SLOW_START_S="2").evidence
    candidate, baseline = measured(seen), measured(seen, "baseline")

    assert 2 <= value(candidate["startup.latency_s"]) < 8
    assert value(baseline["startup.latency_s"]) < 2
    left = baseline["sessions.left_open"]
    assert (value(left), left.note) == (SESSIONS, f"0 before, {SESSIONS} after")
    assert value(candidate["sessions.left_open"]) == 0


@pytest.fixture
def silent(staging: Staging) -> tuple[Staging, Plan, DeployEvidence]:
    """A service whose answers never come to their end."""
    staging.create()
    load = {"sessions": 4, "rate_per_s": 20}
    plan = metrics_plan(
        staging,
        candidate={"image": "sample-agent:no-answer"},
        probes={"load": load, "answer_timeout_s": 1},
        metrics={"settle_s": 0, "drain_s": 0, "idle_s": 0},
    )
    return staging, plan, staging.deploy(plan)


def test_sessions_without_an_answer_are_failures_and_not_fast_answers(
    silent: tuple[Staging, Plan, DeployEvidence],
) -> None:
    staging, plan, deployed = silent
    found = measured(measure(plan, deployed, staging.ports(plan), Listed()).evidence)

    answers = found["load.answer_max_s"]
    assert (answers.value, answers.samples, answers.failed) == (None, 0, 4)
    assert re.match(r"session \d: answer_timeout ", answers.note)
    assert (value(found["load.failures"]), found["load.failures"].samples) == (4, 4)
    assert found["load.connect_max_s"].samples == 4
    # Without quiet time there is nothing to compare memory with.
    assert (found["memory.growth_mib"].value, found["memory.growth_mib"].note) == (
        None,
        "too few memory samples",
    )


def test_without_a_candidate_nothing_is_loaded_and_everything_due_is_missing(staging: Staging) -> None:
    staging.create()
    plan = metrics_plan(staging, candidate={"image": "sample-agent:crash-loop"})
    deployed = staging.deploy(plan)
    kept = Listed()
    seen = measure(plan, deployed, staging.ports(plan), kept)

    assert (deployed.candidate_url, kept.sessions) == ("", [])
    assert seen.evidence.window.seconds < 5
    for role in ("candidate", "baseline"):
        found = measured(seen.evidence, role)
        for metric in ("load.connect_max_s", "load.answer_max_s", "load.failures"):
            each = found[metric]
            assert (each.value, each.samples, each.missing) == (None, 0, SESSIONS)
            assert each.note == "no session was made"
        assert (found["requests.error_ratio"].value, found["sessions.left_open"].value) == (None, None)
        assert found["memory.growth_mib"].value is None
    assert measured(seen.evidence)["startup.latency_s"].value is None


def test_load_on_a_host_that_the_plan_does_not_allow_is_refused_before_it_begins(staging: Staging) -> None:
    staging.create()
    plan = metrics_plan(staging, metrics={"settle_s": 0, "idle_s": 0})
    elsewhere = staging.deploy(plan).model_copy(
        update={"candidate_url": "http://candidate---backend.example.test"}
    )
    with pytest.raises(RunRefused) as raised:
        measure(plan, elsewhere, staging.ports(plan), Listed())

    assert str(raised.value) == (
        "load on candidate---backend.example.test is refused: add backend.example.test to "
        "probes.load.allow_hosts of the plan"
    )


def test_the_load_ends_with_the_look_that_settles_the_comparison_and_its_pairs_are_kept(
    staging: Staging,
) -> None:
    asked = {
        "id": "failures",
        "title": "F",
        "metric": "pairs.failures",
        "paired": {"tolerance": 0, "margin": 0.5},
    }
    staging.create()
    plan = metrics_plan(
        staging,
        probes={"load": {"sessions": 180, "rate_per_s": 40}},
        metrics={"settle_s": 0, "drain_s": 0, "idle_s": 0},
        criteria=[asked],
    )
    deployed = staging.deploy(plan)
    asked_after: list[int] = []

    def enough(pairs: Mapping[str, PairCounts]) -> bool:
        asked_after.append(pairs["failures"].pairs)
        return len(asked_after) == 2

    kept = Listed()
    seen = measure(plan, deployed, staging.ports(plan), kept, enough)
    assert asked_after == [60, 120]
    assert seen.evidence.sessions == {"candidate": 120, "baseline": 120}
    assert [sum(each.role == role for each in kept.sessions) for role in seen.evidence.sessions] == [120, 120]
    starts = [each.intended_s for each in kept.sessions]
    assert starts == sorted(starts)  # of the second wave too: on one clock
    assert [look.number for look in seen.pairs["failures"].looks] == [0, 1]
    found = measured(seen.evidence)["pairs.failures"]
    assert (found.value, found.samples) == (0, 120)
