"""The gate's self-test: each defect of the sample service is caught by the criterion that names it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_run import ROOT

from runbook_lib.clock import SystemClock
from runbook_lib.plan.file import dump_plan, load_plan
from runbook_lib.rehearsal import FILE, SelfTested, Tried
from runbook_lib.run import Run, open_run
from runbook_lib.run_folder import RunFolder
from runbook_lib.selftest import self_test

# All runs of the rehearsal are made by the first test: on a busy machine they take more than five minutes.
pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("variants"), pytest.mark.timeout(900)]

PLAN = ROOT / "notebooks" / "plans" / "selftest.yaml"
QUICK = f"""
extends: {PLAN}
candidate: {{env: {{SLOW_CONNECT_S: "5", SLOW_ANSWER_S: "5", SLOW_START_S: "6"}}}}
probes: {{connect_timeout_s: 9, answer_timeout_s: 7, load: {{http_paths: [/api/agents, /api/agents]}}}}
metrics: {{idle_s: 1.5, settle_s: 1, drain_s: 1}}
criteria:
  - {{id: connect-time, at_most: 3.5}}
  - {{id: answer-time, at_most: 3.5}}
  - {{id: startup-time, at_most: 5, baseline: {{at_most_ratio: 12}}}} # a start of 0.3 s beside three others
"""
# Left to `runbook selftest`: tests/steps/test_clauses.py checks them fault by fault, in seconds.
BY_FAULT = {
    "sample-agent:wrong-revision", "sample-agent:weak-auth", "sample-agent:session-confusion",
    "sample-agent:event-faults", "sample-agent:factory-faults", "sample-agent:rare-leak",
    "sample-agent:drop-leak",
}  # fmt: skip
SELFTEST = load_plan(PLAN).selftest
DEFECTS = {image: name for image, name in SELFTEST.defects.items() if image not in BY_FAULT}
# What a defect cannot help breaking beside its own criterion.
ALSO = {"sample-agent:session-leak": {"dropped-sessions"}}
HEALTHY = "sample-agent:healthy"
# The others cannot help breaking more: nothing answers, or nothing is there at all.
ALONE = DEFECTS.keys() - {"sample-agent:crash-loop", "sample-agent:no-answer"}
AT_ONCE = 4


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the rehearsal leaves its runs in."""
    return tmp_path_factory.mktemp("variants") / "outputs"


@pytest.fixture(scope="module")
def tested(
    environment: dict[str, str], outputs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SelfTested]:
    """One rehearsal; its runs mostly wait, so a few are under way at once, each on a service of its own."""
    plan = tmp_path_factory.mktemp("plan") / "quick.yaml"
    plan.write_text(QUICK, encoding="utf-8")
    fewer = SELFTEST.model_copy(update={"defects": DEFECTS})
    quick = load_plan(plan).model_copy(update={"selftest": fewer})
    plan.write_text(dump_plan(quick, plan.parent), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_EMULATOR_DIR", environment["RUNBOOK_EMULATOR_DIR"])
        yield self_test(plan, outputs, SystemClock(), AT_ONCE, watch=lambda _: None)


def run_of(tried: Tried, tested: SelfTested, outputs: Path) -> Run:
    return open_run(outputs / tested.folder / tried.run)


@pytest.mark.parametrize(("image", "criterion"), DEFECTS.items())
def test_a_defect_is_caught_by_the_criterion_that_names_it(
    image: str, criterion: str, tested: SelfTested, outputs: Path
) -> None:
    (tried,) = [each for each in tested.tried if each.image == image]
    assert (tried.action, tried.error) == ("ROLLBACK", "")
    assert criterion in tried.failed
    assert tried.as_expected
    run = run_of(tried, tested, outputs)
    verdict, service = run.verdict(), run.ports.cloud_run.service()
    assert verdict is not None
    assert service.serving() == verdict.baseline
    assert service.tag_url("candidate") == ""


@pytest.mark.parametrize("image", sorted(ALONE))
def test_a_defect_breaks_nothing_but_its_own_criterion_and_comparisons(
    image: str, tested: SelfTested, outputs: Path
) -> None:
    (tried,) = [each for each in tested.tried if each.image == image]
    plan = run_of(tried, tested, outputs).plan
    comparisons = {criterion.id for criterion in plan.criteria if criterion.paired}
    assert set(tried.failed) - comparisons - ALSO.get(image, set()) == {DEFECTS[image]}


def test_a_healthy_candidate_proceeds_and_takes_all_traffic_once_promoted(
    tested: SelfTested, outputs: Path
) -> None:
    (tried,) = [each for each in tested.tried if each.image == HEALTHY and each.baseline != HEALTHY]
    assert tried.action == "PROCEED_TO_PRODUCTION", tried
    run = run_of(tried, tested, outputs)
    verdict = run.verdict()
    assert verdict is not None
    assert run.ports.cloud_run.service().serving() == verdict.baseline
    assert run.promote().complete
    assert run.ports.cloud_run.service().serving() == verdict.candidate


def test_what_is_compared_with_itself_proceeds_and_says_that_the_fix_was_not_exercised(
    tested: SelfTested, outputs: Path
) -> None:
    (tried,) = [each for each in tested.tried if each.image == each.baseline]
    assert tried.action == "PROCEED_TO_PRODUCTION", tried
    verdict = run_of(tried, tested, outputs).verdict()
    assert verdict is not None
    readings = {regression.reading for regression in verdict.regressions}
    assert readings == {"passed before: the fix was not exercised"}


def test_the_matrix_is_kept_and_goes_into_the_next_report(tested: SelfTested, outputs: Path) -> None:
    assert RunFolder(outputs).find_record(FILE, SelfTested) == tested
    run = Run.start(PLAN, {"report.folder": str(outputs)}, outputs)
    page, *_ = [file for file in run.write_reports() if file.name == "report.html"]
    text = page.read_text(encoding="utf-8")
    assert f"{len(tested.tried)} of {len(tested.tried)} images ended as expected" in text
    assert all(image in text for image in DEFECTS)


def test_a_matrix_that_cannot_be_read_is_no_reason_not_to_run(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{}", encoding="utf-8")
    assert Run.start(PLAN, {"report.folder": str(tmp_path)}, tmp_path).record().selftest is None
