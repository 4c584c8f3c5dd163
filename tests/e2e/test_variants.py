"""Each defect of the sample service is caught by the criterion that names it, and the traffic stays safe."""

from __future__ import annotations

from pathlib import Path

import pytest
from whole_run import PlanMaker

from runbook_lib.run import Run
from runbook_lib.verdict import Outcome, Verdict

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("variants")]

# Slow variants are slow by seconds here, and the bounds are lower, so that a test need not wait for minutes.
SLOW = {
    "probes__connect_timeout_s": "6",
    "probes__answer_timeout_s": "6",
    "candidate__env__SLOW_CONNECT_S": "4",
    "candidate__env__SLOW_ANSWER_S": "4",
}
BOUNDS = {"connect-time": 2.5, "answer-time": 2.5}
BROKEN = {
    "crash-loop": "revision-deployed",
    "startup-error": "startup-logs",
    "unhealthy": "health",
    "error-rate": "error-rate",
    "no-answer": "golden-path",
    "session-conflict": "session-management",
    "factory-failure": "factory-patterns",
    "missing-event": "websocket-events",
    "isolation-leak": "user-isolation",
    "slow-connect": "connect-time",
    "slow-answer": "answer-time",
    "memory-leak": "memory",
    "session-leak": "session-accumulation",
    "slow-start": "startup-time",
}


def validated(plan_file: Path, variant: str) -> Run:
    """Make a whole run without notebooks, rolled back where its verdict says so."""
    run = Run.start(plan_file, {"candidate": f"sample-agent:{variant}"}, plan_file.parent)
    for step in (run.deploy, run.read_logs, run.probe, run.measure):
        step()
    if run.judge().action == "ROLLBACK":
        assert run.roll_back().verified
    return run


def outcomes(verdict: Verdict | None) -> dict[str, Outcome]:
    assert verdict is not None
    return {criterion.id: criterion.outcome for criterion in verdict.criteria}


@pytest.fixture(autouse=True)
def _emulator(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOK_EMULATOR_DIR", environment["RUNBOOK_EMULATOR_DIR"])


@pytest.mark.parametrize(("variant", "criterion"), BROKEN.items())
def test_a_defect_is_caught_by_the_criterion_that_names_it(
    variant: str, criterion: str, make_plan: PlanMaker
) -> None:
    plan = make_plan(f"svc-{variant}", bounds=BOUNDS, **SLOW)
    run = validated(plan, variant)
    verdict = run.verdict()
    assert outcomes(verdict)[criterion] is Outcome.FAIL
    assert verdict is not None
    assert verdict.action == "ROLLBACK"
    service = run.ports.cloud_run.service()
    assert service.serving() == verdict.baseline
    assert service.tag_url("candidate") == ""


def test_a_healthy_candidate_proceeds_and_takes_all_traffic_once_promoted(make_plan: PlanMaker) -> None:
    run = validated(make_plan("svc-healthy", bounds=BOUNDS, **SLOW), "healthy")
    verdict = run.verdict()
    assert set(outcomes(verdict).values()) == {Outcome.PASS}
    assert verdict is not None
    assert run.ports.cloud_run.service().serving() == verdict.baseline
    assert run.promote().complete
    assert run.ports.cloud_run.service().serving() == verdict.candidate


def test_a_defect_breaks_nothing_but_its_own_criterion(make_plan: PlanMaker) -> None:
    run = validated(make_plan("svc-only", bounds=BOUNDS, **SLOW), "missing-event")
    broken = {name for name, outcome in outcomes(run.verdict()).items() if outcome is not Outcome.PASS}
    assert broken == {"websocket-events"}


def test_what_is_compared_with_itself_proceeds_and_says_that_the_fix_was_not_exercised(
    make_plan: PlanMaker,
) -> None:
    plan = make_plan("svc-same", bounds=BOUNDS, target__baseline_image="sample-agent:healthy", **SLOW)
    verdict = validated(plan, "healthy").verdict()
    assert verdict is not None
    assert verdict.action == "PROCEED_TO_PRODUCTION"
    readings = {regression.reading for regression in verdict.regressions}
    assert readings == {"passed before: the fix was not exercised"}
