"""The rollback step against the emulator."""

from __future__ import annotations

import sys

import httpx
import local
import pytest
from cloud import HEALTHY, Staging

from runbook_lib.errors import RunRefused
from runbook_lib.evidence import TrafficShare


def test_after_a_tag_deployment_the_candidates_tag_goes_and_the_baseline_serves(staging: Staging) -> None:
    baseline = staging.create()
    plan = staging.plan()
    deployed = staging.deploy(plan)
    evidence = staging.roll_back(plan, deployed)

    assert (evidence.to, evidence.needed, evidence.verified) == (baseline, True, True)
    assert staging.traffic() == {(baseline, ""): 100}
    assert [share.revision for share in evidence.traffic] == [baseline]
    assert [(poll.status, poll.failing) for poll in evidence.polls] == [(200, ())] * 3
    assert [session.status for session in evidence.sessions] == ["answered"] * 2
    assert (evidence.notes, evidence.output) == ((), "")
    with pytest.raises(httpx.ConnectError):
        local.get(f"{deployed.candidate_url}/health")


def test_after_a_direct_deployment_all_traffic_comes_back(staging: Staging) -> None:
    baseline = staging.create()
    plan = staging.plan(rollout={"strategy": "direct"})
    deployed = staging.deploy(plan)
    assert staging.cloud.run.service().serving() != baseline
    evidence = staging.roll_back(plan, deployed)

    assert (evidence.needed, evidence.verified) == (True, True)
    assert staging.traffic() == {(baseline, ""): 100}
    assert local.get(f"{deployed.service_url}/health").json()["revision"] == baseline


def test_a_second_rollback_changes_nothing_and_looks_again(staging: Staging) -> None:
    staging.create()
    plan = staging.plan()
    deployed = staging.deploy(plan)
    staging.roll_back(plan, deployed)
    generation = staging.cloud.run.service().generation
    again = staging.roll_back(plan, deployed)

    assert (again.needed, again.verified, len(again.polls), len(again.sessions)) == (False, True, 3, 2)
    assert staging.cloud.run.service().generation == generation


def test_tags_of_other_people_survive_a_rollback(staging: Staging) -> None:
    baseline = staging.create()
    staging.cloud.run.set_traffic(
        [TrafficShare(revision=baseline, percent=100), TrafficShare(revision=baseline, percent=0, tag="docs")]
    )
    plan = staging.plan()
    staging.roll_back(plan, staging.deploy(plan))

    assert staging.traffic() == {(baseline, ""): 100, (baseline, "docs"): 0}


def test_traffic_on_a_revision_of_somebody_elses_is_left_alone(staging: Staging) -> None:
    staging.create()
    plan = staging.plan()
    deployed = staging.deploy(plan)
    stranger = staging.cloud.run.deploy(HEALTHY, {}, 60)
    staging.cloud.run.set_traffic([TrafficShare(revision=stranger, percent=100)])
    with pytest.raises(RunRefused) as raised:
        staging.roll_back(plan, deployed)

    assert str(raised.value) == (
        f"{stranger} serves now, which this run did not deploy: "
        "somebody has deployed since, so move the traffic by hand or validate again"
    )
    assert staging.traffic() == {(stranger, ""): 100}


def test_without_a_baseline_there_is_nothing_to_roll_back_to(staging: Staging) -> None:
    staging.create()
    plan = staging.plan()
    first = staging.deploy(plan).model_copy(update={"baseline": None})
    with pytest.raises(RunRefused, match="there is no baseline to roll back to"):
        staging.roll_back(plan, first)


@pytest.mark.parametrize("image", ["unhealthy", "no-answer"])
def test_a_rollback_to_a_broken_baseline_is_done_but_not_verified(staging: Staging, image: str) -> None:
    baseline = staging.create(f"sample-agent:{image}")
    plan = staging.plan(probes={"answer_timeout_s": 1})
    evidence = staging.roll_back(plan, staging.deploy(plan))

    assert (evidence.needed, evidence.verified, evidence.notes) == (True, False, ())
    assert staging.traffic() == {(baseline, ""): 100}
    statuses = {poll.status for poll in evidence.polls}
    answers = {session.status for session in evidence.sessions}
    assert (statuses, answers) == (
        ({503}, {"answered"}) if image == "unhealthy" else ({200}, {"answer_timeout"})
    )


def test_the_teams_own_command_rolls_back_and_what_it_leaves_is_finished(staging: Staging) -> None:
    baseline = staging.create()
    body = """
import os, sys, grpc
from google.cloud import run_v2
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
project, region, service_id, revision = sys.argv[1:]
channel = grpc.insecure_channel(os.environ["RUNBOOK_RUN_ENDPOINT"])
client = run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel))
service = client.get_service(name=f"projects/{project}/locations/{region}/services/{service_id}")
for target in service.traffic:
    target.percent = 100 if target.revision == revision else 0
client.update_service(service=service).result(timeout=60)
print("rolled back to", revision)
"""
    script = staging.script("back.py", body)
    command = [sys.executable, str(script), "{project}", "{region}", "{service}", "{baseline_revision}"]
    plan = staging.plan(rollout={"strategy": "direct", "rollback_command": command})
    evidence = staging.roll_back(plan, staging.deploy(plan))

    assert evidence.output == f"rolled back to {baseline}\n"
    assert (evidence.verified, evidence.notes) == (True, ())
    assert staging.traffic() == {(baseline, ""): 100}  # the command itself leaves the candidate's tag


@pytest.mark.parametrize(
    ("command", "note"),
    [
        (["python", "-c", "print('no'); raise SystemExit(4)"], "the rollback command ended with exit code 4"),
        (
            ["no-such-program"],
            "the rollback command: no-such-program in . cannot be started (No such file or directory): "
            "check command and cwd in the plan",
        ),
    ],
)
def test_a_rollback_command_that_fails_is_told_and_the_traffic_goes_back_all_the_same(
    staging: Staging, command: list[str], note: str
) -> None:
    baseline = staging.create()
    plan = staging.plan(rollout={"strategy": "direct", "rollback_command": command})
    evidence = staging.roll_back(plan, staging.deploy(plan))

    assert evidence.notes == (note,)
    assert staging.traffic() == {(baseline, ""): 100}
    assert evidence.verified


def test_after_a_candidate_that_never_started_nothing_is_needed(staging: Staging) -> None:
    baseline = staging.create()
    plan = staging.plan(candidate={"image": "sample-agent:crash-loop"})
    evidence = staging.roll_back(plan, staging.deploy(plan))

    assert (evidence.needed, evidence.verified) == (False, True)
    assert staging.cloud.run.service().serving() == baseline
