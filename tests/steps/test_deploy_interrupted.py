"""A deploy step that is begun again deploys nothing twice; a deployment that lies is found in the step."""

from __future__ import annotations

from pathlib import Path

import pytest
from cloud import HEALTHY, Staging
from test_deploy import assert_not_ready, by_command

from runbook_lib.errors import RunbookError, RunRefused
from runbook_lib.evidence import TrafficShare
from runbook_lib.plan import Plan
from runbook_lib.run import Run
from runbook_lib.run_folder import RunFolder
from runbook_lib.steps.deploy import deploy

CAME_THROUGH = "the deployment was interrupted and had come through: it was not repeated"


def revisions(staging: Staging) -> list[str]:
    """Return all revisions, newest first."""
    return [revision.name for revision in staging.cloud.run.revisions()]


def interrupted(staging: Staging, plan: Plan) -> None:
    """Do the whole step, but for the ledger's word that it is done."""
    deploy(plan, staging.ports(plan))


@pytest.mark.parametrize("strategy", ["tag", "direct"])
def test_a_deployment_that_had_come_through_is_taken_up_and_measured_by_the_services_own_times(
    staging: Staging, strategy: str
) -> None:
    baseline = staging.create()
    plan = staging.plan(rollout={"strategy": strategy})
    interrupted(staging, plan)
    before = revisions(staging)
    evidence = staging.deploy(plan)

    assert revisions(staging) == before
    assert evidence.baseline is not None
    assert evidence.candidate is not None
    assert evidence.candidate.settled is not None
    assert (evidence.baseline.name, evidence.candidate.name) == (baseline, before[0])
    assert evidence.notes == (CAME_THROUGH,)
    took_s = (evidence.candidate.settled - evidence.candidate.created).total_seconds()
    assert [each.value for each in evidence.measurements] == [1, took_s]


def test_what_a_deploy_command_had_made_is_taken_up_and_the_command_is_not_run_again(
    staging: Staging,
) -> None:
    staging.create()
    plan = by_command(staging, 'made = deploy(); print("Revision ID:", made)')
    interrupted(staging, plan)
    before = revisions(staging)
    evidence = staging.deploy(plan)

    assert (revisions(staging), evidence.output) == (before, "")
    assert evidence.notes == (
        "the deploy command was interrupted after it had made this revision: it was not repeated",
    )


def test_of_two_revisions_since_a_deploy_command_began_nobody_can_tell_the_candidate(
    staging: Staging,
) -> None:
    staging.create()
    plan = by_command(staging, "deploy()")
    interrupted(staging, plan)
    staging.cloud.run.deploy(HEALTHY, {}, 60)
    two = ", ".join(revisions(staging)[:2])
    with pytest.raises(RunRefused) as refused:
        staging.deploy(plan)

    assert str(refused.value) == (
        f"the deploy command was interrupted, and {two} came into being since: "
        "nobody can tell which is the candidate, so begin a new run"
    )


def test_a_step_is_not_gone_on_with_where_somebody_has_deployed_since(staging: Staging) -> None:
    staging.create()
    plan = staging.plan()
    interrupted(staging, plan)
    stranger = staging.cloud.run.deploy(HEALTHY, {}, 60)
    staging.cloud.run.set_traffic([TrafficShare(revision=stranger, percent=100)])
    with pytest.raises(RunRefused, match=f"^{stranger} serves now, which this run did not deploy"):
        staging.deploy(plan)
    assert staging.cloud.run.service().serving() == stranger


def test_another_revision_that_answers_at_the_candidates_url_is_found_and_the_tag_is_taken_back(
    staging: Staging,
) -> None:
    baseline = staging.create()
    plan = staging.plan(probes={"health": {"revision_field": "status"}})  # it names `healthy`
    evidence = staging.deploy(plan)

    assert evidence.candidate is not None
    assert_not_ready(evidence, f"healthy answers at the tag candidate, not {evidence.candidate.name}")
    assert staging.traffic() == {(baseline, "baseline"): 100}


def test_where_the_ledger_cannot_be_written_nothing_on_the_cloud_is_changed(
    staging: Staging, tmp_path: Path
) -> None:
    staging.create()
    plan = staging.plan()
    folder = RunFolder.create(tmp_path / "outputs", "run-1", plan)
    (folder.path / "ledger.jsonl").mkdir()  # root, too, cannot write that
    before = staging.cloud.run.service()
    with pytest.raises(RunbookError) as full:
        Run(folder, plan).take_service()

    assert "ledger.jsonl cannot be written (Is a directory): free the disk or fix its rights" in str(
        full.value
    )
    assert staging.cloud.run.service() == before
    assert [path.name for path in folder.path.rglob(".*")] == []


def test_a_rollback_needs_nothing_but_plan_and_ledger(staging: Staging, tmp_path: Path) -> None:
    baseline = staging.create()
    plan = staging.plan(rollout={"strategy": "direct"})
    run = Run(RunFolder.create(tmp_path / "outputs", "run-1", plan), plan)
    run.deploy()
    assert staging.cloud.run.service().serving() != baseline
    (run.folder.path / "evidence" / "deploy.json").unlink()
    done = Run(run.folder, plan).roll_back()

    assert (done.to, done.needed, done.verified) == (baseline, True, True)
    assert staging.traffic() == {(baseline, ""): 100}
    assert staging.cloud.run.lease() == ""


def test_a_run_that_never_touched_the_service_has_nothing_to_roll_back(
    staging: Staging, tmp_path: Path
) -> None:
    staging.create()
    plan = staging.plan()
    run = Run(RunFolder.create(tmp_path / "outputs", "run-1", plan), plan)
    with pytest.raises(
        RunRefused, match="this run has not changed the service: there is nothing to roll back"
    ):
        run.roll_back()
