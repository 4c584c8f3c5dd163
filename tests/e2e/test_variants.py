"""Each defect of the sample service is caught by the criterion that names it, and the traffic stays safe."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from whole_run import PlanMaker

from runbook_lib.run import Run
from runbook_lib.verdict import Outcome, Verdict

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("variants")]

# Slow variants are slow by seconds here, and the bounds are lower, so that a test need not wait for minutes.
SLOW = {
    "probes__connect_timeout_s": "9",
    "probes__answer_timeout_s": "6",
    "candidate__env__SLOW_CONNECT_S": "4",
    "candidate__env__SLOW_ANSWER_S": "4",
    "candidate__env__SLOW_START_S": "6",
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
# The others cannot help breaking more: nothing answers, or nothing is there at all.
ALONE = BROKEN.keys() - {"crash-loop", "no-answer"}
AT_ONCE = 3


def validated(plan_file: Path, variant: str) -> Run:
    """Make a whole run without notebooks, rolled back where its verdict says so."""
    run = Run.start(plan_file, {"candidate": f"sample-agent:{variant}"}, plan_file.parent)
    for step in (run.deploy, run.read_logs, run.probe, run.measure):
        step()
    if run.judge().action == "ROLLBACK":
        assert run.roll_back().verified
    return run


@pytest.fixture(scope="module")
def runs(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Run]]]:
    """Every variant's run; they mostly wait, so a few are under way at once, each on a service of its own."""
    make_plan = PlanMaker(folder=tmp_path_factory.mktemp("variants"))
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        patch.setenv("RUNBOOK_EMULATOR_DIR", environment["RUNBOOK_EMULATOR_DIR"])
        yield {
            variant: pool.submit(validated, make_plan(f"svc-{variant}", bounds=BOUNDS, **SLOW), variant)
            for variant in ("healthy", *BROKEN)
        }


def outcomes(verdict: Verdict | None) -> dict[str, Outcome]:
    assert verdict is not None
    return {criterion.id: criterion.outcome for criterion in verdict.criteria}


@pytest.fixture(autouse=True)
def _emulator(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOK_EMULATOR_DIR", environment["RUNBOOK_EMULATOR_DIR"])


@pytest.mark.parametrize(("variant", "criterion"), BROKEN.items())
def test_a_defect_is_caught_by_the_criterion_that_names_it(
    variant: str, criterion: str, runs: dict[str, Future[Run]]
) -> None:
    run = runs[variant].result()
    verdict = run.verdict()
    assert outcomes(verdict)[criterion] is Outcome.FAIL
    assert verdict is not None
    assert verdict.action == "ROLLBACK"
    service = run.ports.cloud_run.service()
    assert service.serving() == verdict.baseline
    assert service.tag_url("candidate") == ""


def test_a_healthy_candidate_proceeds_and_takes_all_traffic_once_promoted(
    runs: dict[str, Future[Run]],
) -> None:
    run = runs["healthy"].result()
    verdict = run.verdict()
    assert set(outcomes(verdict).values()) == {Outcome.PASS}
    assert verdict is not None
    assert run.ports.cloud_run.service().serving() == verdict.baseline
    assert run.promote().complete
    assert run.ports.cloud_run.service().serving() == verdict.candidate


@pytest.mark.parametrize("variant", sorted(ALONE))
def test_a_defect_breaks_nothing_but_its_own_criterion(variant: str, runs: dict[str, Future[Run]]) -> None:
    verdict = runs[variant].result().verdict()
    broken = {name for name, outcome in outcomes(verdict).items() if outcome is not Outcome.PASS}
    assert broken == {BROKEN[variant]}


def test_what_is_compared_with_itself_proceeds_and_says_that_the_fix_was_not_exercised(
    make_plan: PlanMaker,
) -> None:
    plan = make_plan("svc-same", bounds=BOUNDS, target__baseline_image="sample-agent:healthy", **SLOW)
    verdict = validated(plan, "healthy").verdict()
    assert verdict is not None
    assert verdict.action == "PROCEED_TO_PRODUCTION"
    readings = {regression.reading for regression in verdict.regressions}
    assert readings == {"passed before: the fix was not exercised"}
