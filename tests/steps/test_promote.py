"""The promote step against the emulator; what it did is read from a recorded traffic table."""

from __future__ import annotations

import dataclasses
import re

import pytest
from cloud import HEALTHY, Staging

from runbook_lib.errors import RunRefused
from runbook_lib.evidence import DeployEvidence, PromoteEvidence, TrafficShare
from runbook_lib.plan import Plan
from runbook_lib.recorded import RecordedCloudRun
from runbook_lib.steps.promote import promote


def go(staging: Staging, plan: Plan, deployed: DeployEvidence) -> tuple[PromoteEvidence, list[int]]:
    """Promote; return the evidence and the candidate's share after each change, as the ledger has it."""
    ledger: list[str] = []
    ports = staging.ports(plan)
    recorded = RecordedCloudRun(
        ports.cloud_run, lambda event, words: ledger.append(f"{event}: {words}"), lambda: None
    )
    evidence = promote(plan, deployed, dataclasses.replace(ports, cloud_run=recorded))
    assert deployed.candidate is not None
    share = re.compile(rf"{deployed.candidate.name} (\d+) %")
    done = [line for line in ledger if line.startswith("act done: set traffic: ")]
    return evidence, [sum(map(int, share.findall(line))) for line in done]


def test_the_candidate_is_promoted_step_by_step_and_ends_alone(staging: Staging) -> None:
    staging.create()
    plan = staging.plan()
    deployed = staging.deploy(plan)
    evidence, shares = go(staging, plan, deployed)

    assert deployed.candidate is not None
    candidate = deployed.candidate.name
    assert shares == [10, 50, 100, 100]  # and at the end without the tags
    assert (evidence.candidate, evidence.percent, evidence.complete) == (candidate, 100, True)
    assert staging.traffic() == {(candidate, ""): 100}
    assert [(poll.status, poll.role) for poll in evidence.polls] == [(200, "candidate")] * 3
    assert [session.status for session in evidence.sessions] == ["answered"] * 2


def test_the_plans_own_steps_are_followed(staging: Staging) -> None:
    staging.create()
    plan = staging.plan(rollout={"steps": [25, 100]})
    _, shares = go(staging, plan, staging.deploy(plan))

    assert shares == [25, 100, 100]


def test_trouble_at_the_first_step_returns_all_traffic(staging: Staging) -> None:
    baseline = staging.create()
    plan = staging.plan(candidate={"image": "sample-agent:unhealthy"})
    evidence, shares = go(staging, plan, staging.deploy(plan))

    assert shares == [10, 0]
    assert (evidence.percent, evidence.complete) == (0, False)
    assert {poll.status for poll in evidence.polls} == {503}
    assert staging.traffic() == {(baseline, "baseline"): 100}


def test_trouble_on_the_way_returns_all_traffic_too(staging: Staging) -> None:
    baseline = staging.create()
    # The third start of a `data` agent fails, and each step makes two.
    plan = staging.plan(candidate={"image": "sample-agent:factory-failure"}, probes={"agents": ["data"]})
    evidence, shares = go(staging, plan, staging.deploy(plan))

    assert shares == [10, 50, 0]
    assert (evidence.percent, evidence.complete) == (0, False)
    assert [session.status for session in evidence.sessions] == ["agent_error", "answered"]
    assert [(share.revision, share.percent) for share in evidence.traffic] == [(baseline, 100)]
    assert staging.cloud.run.service().serving() == baseline


def test_a_second_promotion_leaves_the_candidate_where_it_is(staging: Staging) -> None:
    staging.create()
    plan = staging.plan()
    deployed = staging.deploy(plan)
    go(staging, plan, deployed)
    evidence, shares = go(staging, plan, deployed)

    assert deployed.candidate is not None
    assert shares == [100, 100]
    assert evidence.complete
    assert len(evidence.polls) == 3
    assert staging.traffic() == {(deployed.candidate.name, ""): 100}


def test_a_candidate_that_was_deployed_directly_loses_no_traffic_on_the_way(staging: Staging) -> None:
    staging.create()
    plan = staging.plan(rollout={"strategy": "direct"})
    evidence, shares = go(staging, plan, staging.deploy(plan))

    assert shares == [100, 100]
    assert evidence.complete


def test_tags_of_other_people_survive_a_promotion(staging: Staging) -> None:
    baseline = staging.create()
    tagged = TrafficShare(revision=baseline, percent=0, tag="docs")
    staging.cloud.run.set_traffic([TrafficShare(revision=baseline, percent=100), tagged])
    plan = staging.plan(rollout={"steps": [100]})
    deployed = staging.deploy(plan)
    go(staging, plan, deployed)

    assert deployed.candidate is not None
    assert staging.traffic() == {(deployed.candidate.name, ""): 100, (baseline, "docs"): 0}


def test_traffic_on_a_revision_of_somebody_elses_is_left_alone(staging: Staging) -> None:
    staging.create()
    plan = staging.plan()
    deployed = staging.deploy(plan)
    stranger = staging.cloud.run.deploy(HEALTHY, {}, 60)
    staging.cloud.run.set_traffic([TrafficShare(revision=stranger, percent=100)])
    with pytest.raises(RunRefused, match=f"{stranger} serves now, which this run did not deploy"):
        go(staging, plan, deployed)

    assert staging.traffic() == {(stranger, ""): 100}


def test_a_candidate_that_never_became_ready_is_not_promoted(staging: Staging) -> None:
    staging.create()
    plan = staging.plan(candidate={"image": "sample-agent:crash-loop"})
    with pytest.raises(RunRefused) as raised:
        go(staging, plan, staging.deploy(plan))

    assert str(raised.value) == "the run has no candidate that became ready: there is nothing to promote"
