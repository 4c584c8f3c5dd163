"""The deploy step against the emulator: by image, and by commands that do well or lie."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import local
import pytest
from cloud import HEALTHY, Staging, measured

from runbook_lib.errors import CommandFailed, NotFound, RunRefused
from runbook_lib.evidence import DeployEvidence, TrafficShare
from runbook_lib.plan import Plan

CRASH = "sample-agent:crash-loop"

# The beginning of each deploy command below: a client of the emulator, and an update that makes a revision.
PRELUDE = """
import os, secrets, sys, time
import grpc
from google.cloud import run_v2
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport

name = f"projects/{sys.argv[1]}/locations/{sys.argv[2]}/services/{sys.argv[3]}"
channel = grpc.insecure_channel(os.environ["RUNBOOK_RUN_ENDPOINT"])
client = run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel))

def deploy(image="sample-agent:healthy"):
    service = client.get_service(name=name)
    service.template.revision = ""
    service.template.annotations["made-by"] = secrets.token_hex(4)
    service.template.containers[0].image = image
    made = client.update_service(service=service).result(timeout=60)
    return made.latest_created_revision.rpartition("/")[2]
"""


def by_command(staging: Staging, body: str, **candidate: object) -> Plan:
    """Return a plan that deploys by a script."""
    script = staging.script("deploy.py", PRELUDE + body)
    command = [sys.executable, str(script), "{project}", "{region}", "{service}"]
    return staging.plan(candidate={"command": command, "ready_timeout_s": 60, **candidate})


def values(evidence: DeployEvidence) -> dict[str, float | None]:
    """Return what was measured."""
    return {name: each.value for name, each in measured(evidence).items()}


def assert_not_ready(evidence: DeployEvidence, problem: str) -> None:
    """Assert that a problem is told everywhere where somebody looks."""
    assert evidence.notes == (problem,)
    assert evidence.candidate_url == ""
    ready, took = (measured(evidence)[name] for name in ("deploy.ready", "deploy.duration_s"))
    assert (ready.value, ready.samples, ready.note) == (0, 1, problem)
    assert (took.value, took.samples, took.note) == (None, 0, problem)


def test_the_candidate_gets_no_traffic_and_a_url_that_reaches_it_alone(staging: Staging) -> None:
    baseline = staging.create()
    evidence = staging.deploy()

    assert evidence.candidate is not None
    assert evidence.baseline is not None
    candidate = evidence.candidate.name
    assert (evidence.baseline.name, evidence.candidate.ready) == (baseline, True)
    assert staging.traffic() == {(baseline, "baseline"): 100, (candidate, "candidate"): 0}
    assert {(each.revision, each.tag): each.percent for each in evidence.traffic} == staging.traffic()
    answers = {
        url: {local.get(f"{url}/health").json()["revision"] for _ in range(5)}
        for url in (evidence.candidate_url, evidence.baseline_url, evidence.service_url)
    }
    assert list(answers.values()) == [{candidate}, {baseline}, {baseline}]


def test_a_good_deployment_measures_that_it_is_ready_and_how_long_it_took(staging: Staging) -> None:
    staging.create()
    evidence = staging.deploy()

    ready, took = measured(evidence).values()
    assert (ready.metric, ready.value, ready.unit, ready.samples) == ("deploy.ready", 1, "ready", 1)
    assert (took.metric, took.unit, took.samples) == ("deploy.duration_s", "s", 1)
    assert took.value is not None
    assert 0.05 < took.value <= evidence.window.seconds
    assert (evidence.notes, evidence.how, evidence.output) == ((), HEALTHY, "")


def test_a_service_that_follows_the_latest_revision_is_pinned_to_its_baseline(staging: Staging) -> None:
    baseline = staging.create()  # a new service follows its latest revision
    staging.deploy()
    follower = staging.cloud.run.deploy(HEALTHY, {}, 60)

    assert staging.cloud.run.service().serving() == baseline != follower


def test_tags_of_other_people_survive_and_keep_their_revision(staging: Staging) -> None:
    baseline = staging.create()
    old = staging.cloud.run.deploy(HEALTHY, {}, 60)
    shares = [TrafficShare(revision=baseline, percent=100), TrafficShare(revision=old, percent=0, tag="pr-7")]
    url = staging.cloud.run.set_traffic(shares).tag_url("pr-7")
    evidence = staging.deploy()

    assert staging.traffic()[(old, "pr-7")] == 0
    assert len(evidence.traffic) == 3
    assert local.get(f"{url}/health").json()["revision"] == old


def test_a_second_deployment_takes_the_tags_over(staging: Staging) -> None:
    baseline = staging.create()
    first, second = staging.deploy(), staging.deploy()

    assert first.candidate is not None
    assert second.candidate is not None
    assert first.candidate.name != second.candidate.name
    expected = {(baseline, "baseline"): 100, (second.candidate.name, "candidate"): 0}
    assert staging.traffic() == expected


def test_the_direct_strategy_gives_the_candidate_all_traffic(staging: Staging) -> None:
    baseline = staging.create()
    evidence = staging.deploy(staging.plan(rollout={"strategy": "direct"}))

    assert evidence.candidate is not None
    candidate = evidence.candidate.name
    assert staging.traffic() == {(baseline, "baseline"): 0, (candidate, "candidate"): 100}
    assert local.get(f"{evidence.service_url}/health").json()["revision"] == candidate
    assert local.get(f"{evidence.baseline_url}/health").json()["revision"] == baseline


def test_a_service_in_the_middle_of_a_rollout_is_refused_and_left_alone(staging: Staging) -> None:
    first = staging.create()
    second = staging.cloud.run.deploy(HEALTHY, {}, 60)
    split = [TrafficShare(revision=first, percent=60), TrafficShare(revision=second, percent=40)]
    staging.cloud.run.set_traffic(split)
    with pytest.raises(RunRefused) as raised:
        staging.deploy()

    assert str(raised.value) == (
        f"{staging.service} has no single revision that serves ({first} 60 %, {second} 40 %): "
        "finish or roll back that rollout first"
    )
    assert staging.traffic() == {(first, ""): 60, (second, ""): 40}
    assert len(staging.cloud.run.revisions()) == 2


def test_a_first_deployment_creates_the_baseline_of_a_rehearsal(staging: Staging) -> None:
    evidence = staging.deploy(staging.plan(target={"baseline_image": "sample-agent:previous"}))

    assert evidence.baseline is not None
    assert evidence.baseline.image == "sample-agent:previous"
    assert staging.cloud.run.service().serving() == evidence.baseline.name
    assert values(evidence)["deploy.ready"] == 1


def test_without_a_baseline_image_a_missing_service_is_not_found(staging: Staging) -> None:
    with pytest.raises(NotFound, match=f"services.get on {staging.service} answered NOT_FOUND"):
        staging.deploy()


def test_a_candidate_that_crashes_is_evidence_and_the_baseline_keeps_serving(staging: Staging) -> None:
    baseline = staging.create()
    evidence = staging.deploy(staging.plan(candidate={"image": CRASH}))

    assert evidence.candidate is not None
    assert (evidence.candidate.image, evidence.candidate.ready) == (CRASH, False)
    problem = evidence.notes[0]
    assert problem.startswith(f"{evidence.candidate.name} was not ready after ")
    assert "failed to start and listen on the port" in problem
    assert_not_ready(evidence, problem)
    assert staging.traffic() == {(baseline, "baseline"): 100}


def test_a_candidate_that_starts_too_slowly_is_evidence_too(staging: Staging) -> None:
    baseline = staging.create()
    slow = {"image": "sample-agent:slow-start", "env": {"SLOW_START_S": "60"}, "ready_timeout_s": 0.5}
    evidence = staging.deploy(staging.plan(candidate=slow))

    assert evidence.candidate is not None
    assert evidence.candidate.ready is None
    assert evidence.notes[0].startswith(f"{evidence.candidate.name} was not ready after ")
    assert evidence.notes[0].endswith(" s: still starting at the time limit")
    assert_not_ready(evidence, evidence.notes[0])
    assert staging.traffic() == {(baseline, "baseline"): 100}


def test_a_deploy_command_that_works_leaves_its_output_and_a_tagged_candidate(staging: Staging) -> None:
    baseline = staging.create()
    plan = by_command(staging, 'print("on it"); print("Revision ID:", deploy())')
    evidence = staging.deploy(plan)

    assert evidence.candidate is not None
    candidate = evidence.candidate.name
    assert evidence.output == f"on it\nRevision ID: {candidate}"
    assert evidence.how == " ".join(plan.candidate.command)
    assert evidence.notes == ()
    assert staging.traffic() == {(baseline, "baseline"): 100, (candidate, "candidate"): 0}
    assert values(evidence)["deploy.ready"] == 1


def test_a_deploy_command_that_names_no_revision_is_believed_by_what_the_service_says(
    staging: Staging,
) -> None:
    staging.create()
    evidence = staging.deploy(by_command(staging, "deploy()"))

    assert evidence.candidate is not None
    assert (evidence.notes, evidence.output) == ((), "")
    assert evidence.candidate.name == staging.cloud.run.service().latest_created


def test_the_environment_of_the_plan_reaches_the_deploy_command(staging: Staging) -> None:
    staging.create()
    plan = by_command(staging, 'print("tag", os.environ["BUILD"]); deploy()', env={"BUILD": "b-17"})

    assert staging.deploy(plan).output == "tag b-17"


def test_a_deploy_command_that_fails_is_evidence_with_its_last_lines(staging: Staging) -> None:
    baseline = staging.create()
    body = "for line in range(60): print('line', line)\nsys.exit(1)"
    evidence = staging.deploy(by_command(staging, body))

    assert evidence.candidate is None
    assert_not_ready(evidence, "the deploy command ended with exit code 1")
    assert evidence.output.splitlines() == [f"line {number}" for number in range(20, 60)]
    assert staging.traffic() == {(baseline, "baseline"): 100}


def test_a_deploy_command_that_fails_after_it_deployed_is_not_believed(staging: Staging) -> None:
    baseline = staging.create()
    evidence = staging.deploy(by_command(staging, "deploy(); sys.exit(3)"))

    assert evidence.candidate is not None
    assert evidence.candidate.ready
    assert_not_ready(evidence, "the deploy command ended with exit code 3")
    assert staging.traffic() == {(baseline, "baseline"): 100}


def test_a_deploy_command_that_names_another_revision_is_not_believed(staging: Staging) -> None:
    baseline = staging.create()
    evidence = staging.deploy(by_command(staging, f'deploy(); print("Revision ID: {baseline}")'))

    assert evidence.candidate is not None
    made = evidence.candidate.name
    assert_not_ready(
        evidence, f"the deploy command names {baseline}, but the service's newest revision is {made}"
    )


def test_a_deploy_command_that_makes_no_revision_is_not_believed(staging: Staging) -> None:
    baseline = staging.create()
    evidence = staging.deploy(by_command(staging, f'print("Revision ID: {baseline}")'))

    assert evidence.candidate is None
    assert_not_ready(evidence, "the deploy command made no new revision")


def test_a_deploy_command_whose_revision_does_not_start_is_not_believed(staging: Staging) -> None:
    staging.create()
    body = f'try: deploy("{CRASH}")\nexcept Exception as error: print("never mind", type(error).__name__)'
    evidence = staging.deploy(by_command(staging, body))

    assert evidence.candidate is not None
    assert evidence.candidate.ready is False
    assert_not_ready(evidence, f"{evidence.candidate.name} is not ready: {evidence.candidate.message}")
    assert evidence.output == "never mind FailedPrecondition"


def test_a_deploy_command_that_moves_the_traffic_is_not_believed(staging: Staging) -> None:
    baseline = staging.create()
    body = """
made = deploy()
service = client.get_service(name=name)
kind = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
service.traffic = [run_v2.TrafficTarget(type_=kind, revision=made, percent=100)]
client.update_service(service=service).result(timeout=60)
print("Revision ID:", made)
"""
    evidence = staging.deploy(by_command(staging, body))

    assert evidence.candidate is not None
    made = evidence.candidate.name
    assert_not_ready(
        evidence, f"the deployment moved the traffic from {baseline} to {made}, which was put right"
    )
    assert staging.traffic() == {(baseline, "baseline"): 100}
    assert [(each.revision, each.percent) for each in evidence.traffic] == [(baseline, 100)]


def test_a_deploy_command_that_hangs_is_ended_at_the_limit_with_what_it_said(staging: Staging) -> None:
    baseline = staging.create()
    body = 'print("patience", flush=True); time.sleep(600)'
    start_s = time.monotonic()
    evidence = staging.deploy(by_command(staging, body, ready_timeout_s=4))

    assert time.monotonic() - start_s < 30
    assert evidence.candidate is None
    assert_not_ready(evidence, "the deploy command did not end in time")
    assert evidence.output == "patience"
    assert staging.traffic() == {(baseline, "baseline"): 100}


def test_a_deploy_command_that_cannot_be_started_could_not_look(staging: Staging, tmp_path: Path) -> None:
    staging.create()
    plan = staging.plan(candidate={"command": [str(tmp_path / "no-such-program")]})
    with pytest.raises(CommandFailed, match=r"no-such-program in \. cannot be started"):
        staging.deploy(plan)
