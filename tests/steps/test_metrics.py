"""The metrics step: real load on pairs of revisions, and what it says of each defect."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from cloud import Staging, eventually, measured

from runbook_lib.errors import RunRefused
from runbook_lib.evidence import DeployEvidence, Measurement, Window
from runbook_lib.plan import Plan
from runbook_lib.steps.metrics import MetricsObservation, measure

SESSIONS = 15
LOAD = {"sessions": SESSIONS, "rate_per_s": 10, "http_paths": ["/api/agents"]}
SERIES = ["time", "role", "metric", "value", "count", "label", "unit"]


def metrics_plan(staging: Staging, **sections: object) -> Plan:
    """Return a plan with a small load."""
    return staging.plan(**{"probes": {"load": LOAD, "answer_timeout_s": 10}, **sections})


def observe(staging: Staging, image: str, **env: str) -> MetricsObservation:
    """Deploy an image beside a healthy baseline and load both."""
    staging.create()
    plan = metrics_plan(staging, candidate={"image": f"sample-agent:{image}", "env": env})
    deployed = staging.deploy(plan)
    warm_up(staging, deployed)
    return measure(plan, deployed, staging.ports(plan))


def warm_up(staging: Staging, deployed: DeployEvidence) -> None:
    """Ask both revisions once, as probes do, and wait until that is counted and so is not of the load."""
    for url in (deployed.candidate_url, deployed.baseline_url):
        httpx.get(f"{url}/health", timeout=30)
    window = Window(start=deployed.window.start, end=deployed.window.start + timedelta(hours=1))
    eventually(lambda: len(staging.cloud.monitoring.read("request_count", window)) == 2)


def value(found: Measurement) -> float:
    """Return a value that must be there."""
    assert found.value is not None, found
    return found.value


def test_two_healthy_revisions_give_full_samples_and_name_no_defect(staging: Staging) -> None:
    seen = observe(staging, "healthy")

    assert len(seen.sessions) == 2 * SESSIONS
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


def test_a_share_of_failed_requests_is_named(staging: Staging) -> None:
    found = measured(seen := observe(staging, "error-rate").evidence)

    wrong = found["requests.error_ratio"]
    assert value(wrong) == pytest.approx(2 / (3 * SESSIONS + 2))  # each 7th of 15 GETs
    assert wrong.note == f"2 of {3 * SESSIONS + 2} requests answered 5xx"
    assert value(measured(seen, "baseline")["requests.error_ratio"]) == 0
    assert value(found["sessions.left_open"]) == 0


def test_memory_that_grows_with_each_chat_is_named(staging: Staging) -> None:
    seen = observe(staging, "memory-leak", LEAK_KIB_PER_CHAT="4096").evidence

    growth = value(measured(seen)["memory.growth_mib"])
    baseline = value(measured(seen, "baseline")["memory.growth_mib"])
    assert growth - baseline == pytest.approx(SESSIONS * 4, abs=20)
    assert value(measured(seen)["sessions.left_open"]) == 0


def test_sessions_that_stay_counted_are_named(staging: Staging) -> None:
    seen = observe(staging, "session-leak").evidence

    left = measured(seen)["sessions.left_open"]
    assert (value(left), left.note) == (SESSIONS, f"0 before, {SESSIONS} after")
    assert value(measured(seen, "baseline")["sessions.left_open"]) == 0


def test_a_slow_start_is_named(staging: Staging) -> None:
    seen = observe(staging, "slow-start", SLOW_START_S="2").evidence

    assert 2 <= value(measured(seen)["startup.latency_s"]) < 8
    assert value(measured(seen, "baseline")["startup.latency_s"]) < 2


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
    found = measured(measure(plan, deployed, staging.ports(plan)).evidence)

    answers = found["load.answer_max_s"]
    assert (answers.value, answers.samples, answers.failed) == (None, 0, 4)
    assert answers.note.startswith("session 0: answer_timeout ")
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
    seen = measure(plan, deployed, staging.ports(plan))

    assert (deployed.candidate_url, seen.sessions) == ("", ())
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
        measure(plan, elsewhere, staging.ports(plan))

    assert str(raised.value) == (
        "load on candidate---backend.example.test is refused: add backend.example.test to "
        "probes.load.allow_hosts of the plan"
    )
