"""What goes wrong around a run is told clearly, with the right exit code, and nothing is called a pass."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from whole_run import ROOT, Ended, PlanMaker, Shell, quick_plan

pytestmark = pytest.mark.e2e
KILLED_IN = ("probes", "metrics")


def emulator_pid(state: str) -> int:
    return int(json.loads((Path(state) / "emulator.json").read_text())["pid"])


def wait_for_event(root: Path, event: str, step: str, limit_s: float = 120) -> Path:
    """Return the run folder below `root` once its ledger has the event."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        for ledger in root.glob("*/ledger.jsonl"):
            entries = [json.loads(line) for line in ledger.read_text().splitlines()]
            if any((entry["event"], entry.get("step")) == (event, step) for entry in entries):
                return ledger.parent
        time.sleep(0.05)
    raise AssertionError(f"no {event} of {step} within {limit_s} s")


def killed_in(step: str, runbook: Shell, folder: Path) -> Ended:
    """Kill a run's cloud as soon as a step has begun; return how the run ended."""
    state = str(folder / "emulator")
    shell = Shell({**runbook.environment, "RUNBOOK_EMULATOR_DIR": state})
    process = shell.start("run", str(PlanMaker(folder=folder)(f"killed-{step}")))
    run = wait_for_event(folder / "outputs", "step started", step)
    os.kill(emulator_pid(state), signal.SIGKILL)
    out, err = process.communicate(timeout=200)
    return Ended(code=process.returncode, out=out, err=err, run=run)


@pytest.fixture(scope="module")
def killed(runbook: Shell, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """How such runs ended, by the step; they mostly wait, so both are under way at once."""
    folders = [tmp_path_factory.mktemp(step) for step in KILLED_IN]
    with ThreadPoolExecutor() as pool:
        ended = pool.map(killed_in, KILLED_IN, (runbook,) * len(KILLED_IN), folders)
        return dict(zip(KILLED_IN, ended, strict=True))


@pytest.mark.parametrize("step", KILLED_IN)
def test_killing_the_cloud_in_the_middle_ends_with_3_and_a_report_that_says_what_was_not_seen(
    step: str, killed: dict[str, Ended]
) -> None:
    ended = killed[step]
    assert ended.run is not None
    run, out = ended.run, ended.out
    assert ended.code == 3, out + ended.err
    verdict = json.loads((run / "verdict.json").read_text())
    assert verdict["action"] == "INVESTIGATE"
    unseen = [line for line in verdict["not_seen"] if line.startswith(f"{step}: could not look: ")]
    assert len(unseen) == 1
    assert "UNAVAILABLE" in unseen[0]
    assert "check the network and the endpoint, then run the step again" in unseen[0]
    lost = [criterion for criterion in verdict["criteria"] if criterion["outcome"] == "ERROR"]
    assert lost
    assert f"not seen: {step}: could not look" in out
    assert "could not look" in (run / "report.md").read_text()
    assert "could not look" in (run / "report.html").read_text()


def test_a_typo_in_a_plan_ends_with_2_and_names_file_line_field_and_allowed_names(
    make_plan: PlanMaker, tmp_path: Path, runbook: Shell
) -> None:
    plan = make_plan("typo")
    text = plan.read_text().replace("golden_path_sessions:", "golden_path_session:")
    plan.write_text(text)
    line = 1 + text.splitlines().index("  golden_path_session: 5")
    for command in ("lint", "run"):
        ended = runbook(command, str(plan))
        assert ended.code == 2
        assert ended.err.startswith(
            f"PlanError: {plan}:{line}: probes.golden_path_session: unknown field, "
            "did you mean golden_path_sessions? (allowed: auth, protocol, health, agents, "
        )
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("run", "no-such.yaml"), "PlanError: no such file or folder: no-such.yaml"),
        (
            ("run", "notebooks/plans/quickstart.yaml", "-p", "candidate"),
            "PlanError: --parameter: 'candidate'",
        ),
        (("verdict", "notebooks"), "PlanError: run: notebooks is no run folder: it has no plan.yaml"),
    ],
)
def test_bad_usage_ends_with_2_and_one_clear_error(
    arguments: tuple[str, ...], error: str, runbook: Shell
) -> None:
    ended = runbook(*arguments)
    assert ended.code == 2
    assert ended.err.replace(f"{ROOT}/", "").startswith(error)
    assert "Traceback" not in ended.err


def test_a_candidate_that_never_starts_is_rolled_back_with_20_and_its_logs_are_in_the_report(
    tmp_path: Path, runbook: Shell
) -> None:
    ended = runbook("run", str(quick_plan(tmp_path, "crash")), "-p", "candidate=sample-agent:crash-loop")
    assert ended.code == 20, ended.out + ended.err
    run = next((tmp_path / "outputs").iterdir())
    rollback = json.loads((run / "evidence" / "rollback.json").read_text())
    assert rollback["verified"] is True
    assert "no execution context factory is registered" in (run / "report.md").read_text()
    again = runbook("rollback", str(run))
    assert again.code == 0
    assert json.loads((run / "evidence" / "rollback.json").read_text())["needed"] is False


def test_promoting_against_the_verdict_is_refused_without_a_reason(tmp_path: Path, runbook: Shell) -> None:
    plan = quick_plan(tmp_path, "refused")
    unhealthy = ("-p", "candidate=sample-agent:unhealthy", "-p", "rollout.on_rollback=never")
    assert runbook("run", str(plan), *unhealthy).code == 20
    run = next((tmp_path / "outputs").iterdir())
    refused = runbook("promote", str(run))
    assert refused.code == 2
    assert refused.err == ("RunRefused: the verdict is ROLLBACK: promoting needs --override with a reason\n")
