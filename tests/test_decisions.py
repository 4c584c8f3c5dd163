"""Where a plan wants an approval, nothing changes on the cloud before a person has given one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from cloud import HEALTHY, Staging
from cloud import emulator as emulator
from cloud import staging as staging

from runbook_lib.decisions import decision_on, who_decides
from runbook_lib.errors import NotApproved, PlanError, RunRefused
from runbook_lib.plan.file import dump_plan
from runbook_lib.run import Run


@pytest.fixture
def run(staging: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("RUNBOOK_USER", "ada")
    staging.create()
    plan = staging.plan(rollout={"approval": "required"}, report={"folder": str(tmp_path / "outputs")})
    file = tmp_path / "plan.yaml"
    file.write_text(dump_plan(plan, tmp_path), encoding="utf-8")
    return Run.start(file, {}, tmp_path)


def test_without_an_approval_nothing_is_deployed_and_the_verdict_is_investigate(
    run: Run, staging: Staging
) -> None:
    before = staging.cloud.run.service()
    how = f"runbook approve {run.plan.report.folder}/{run.folder.run_id} --reason WHY"
    with pytest.raises(NotApproved) as caught:
        run.deploy()
    assert str(caught.value) == f"waits for an approval: {how}"
    verdict = run.judge()
    assert verdict.action == "INVESTIGATE"
    assert verdict.not_seen[0] == f"deploy: waits for an approval: {how}"
    assert run.exit_code() == 10
    assert staging.cloud.run.service() == before


def test_who_approved_when_and_why_is_in_the_ledger_and_it_serves_once(run: Run, staging: Staging) -> None:
    run.decide("deploy", approved=True, reason=" looks fine ")
    (entry,) = [entry for entry in run.folder.ledger() if entry.event == "approved"]
    assert (entry.step, entry.who, entry.detail) == ("deploy", "ada", "looks fine")
    assert run.deploy().candidate is not None
    with pytest.raises(NotApproved, match=r"^waits for an approval: "):
        run.deploy()
    assert len(staging.cloud.run.revisions()) == 2


def test_a_rejection_holds_until_somebody_approves(run: Run) -> None:
    run.decide("deploy", approved=False, reason="not on a Friday")
    with pytest.raises(NotApproved, match=r"^rejected by ada: not on a Friday; to do it all the same: "):
        run.deploy()
    run.judge()
    assert run.exit_code() == 10
    run.decide("deploy", approved=True, reason="it is Monday")
    run.deploy()
    assert decision_on("deploy", run.folder.ledger()) is None


def test_a_promotion_is_held_back_too_and_can_stop_at_a_step(run: Run, staging: Staging) -> None:
    run.decide("deploy", approved=True, reason="go")
    deployed = run.deploy()
    run.judge()
    assert run.awaited() == "promote"
    with pytest.raises(NotApproved):
        run.promote("a rehearsal")
    run.decide("promote", approved=True, reason="go")
    with pytest.raises(RunRefused, match=r"^30 % is no step of the plan: rollout\.steps has 10, 50, 100$"):
        run.promote("a rehearsal", up_to=30)
    done = run.promote("a rehearsal", up_to=10)
    assert (done.percent, done.complete) == (10, False)
    assert deployed.candidate is not None
    assert staging.traffic()[deployed.candidate.name, "candidate"] == 10


def test_a_decision_without_a_reason_is_refused(run: Run) -> None:
    with pytest.raises(PlanError, match=r"^reason: a decision needs a reason"):
        run.decide("deploy", approved=True, reason=" ")


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"RUNBOOK_USER": "ada", "GITHUB_ACTOR": "bob"}, "ada"),
        ({"RUNBOOK_USER": "", "GITHUB_ACTOR": "bob"}, "bob"),
    ],
)
def test_who_decides_is_told_by_the_environment(environment: Mapping[str, str], name: str) -> None:
    assert who_decides(environment) == name


def test_a_plan_that_asks_for_nothing_needs_no_approval(staging: Staging, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    plan = staging.plan(target={"baseline_image": HEALTHY}, report={"folder": str(tmp_path / "outputs")})
    file.write_text(dump_plan(plan, tmp_path), encoding="utf-8")
    assert Run.start(file, {}, tmp_path).deploy().candidate is not None
