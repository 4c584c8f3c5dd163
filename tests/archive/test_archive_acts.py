"""A sealed run is sealed again after whatever is done with it, also where that fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from cloud import Staging
from cloud import emulator as emulator
from cloud import staging as staging

from runbook_lib.archive.manifest import read_manifest, verify
from runbook_lib.archive.places import place
from runbook_lib.errors import CloudError, RunRefused
from runbook_lib.plan.file import dump_plan
from runbook_lib.run import Run


@pytest.fixture
def begun(staging: Staging, tmp_path: Path) -> Run:
    """A run that has observed nothing yet."""
    staging.create()
    file = tmp_path / "plan.yaml"
    plan = staging.plan(report={"folder": str(tmp_path / "outputs")})
    file.write_text(dump_plan(plan, tmp_path), encoding="utf-8")
    return Run.start(file, {}, tmp_path)


@pytest.fixture
def run(begun: Run) -> Run:
    """A run that was judged and is not sealed yet."""
    begun.deploy()
    begun.judge()
    return begun


def earlier_seals(run: Run) -> int:
    """Return how often the run was sealed before; what is not as it was sealed is a failure."""
    where = place(str(run.folder.path))
    assert verify(where).findings == ()
    manifest = read_manifest(where)
    assert manifest is not None
    return len(manifest.earlier)


def edit(file: Path, before: str, after: str) -> None:
    """Change one text in a file, which has to be there."""
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_a_verdict_that_was_written_over_promotes_nothing(begun: Run) -> None:
    assert begun.judge().action == "INVESTIGATE"
    edit(begun.folder.path / "verdict.json", '"INVESTIGATE"', '"PROCEED_TO_PRODUCTION"')
    begun.write_reports()  # whoever edits a verdict can seal it, too
    with pytest.raises(RunRefused) as refused:
        begun.promote()
    assert str(refused.value) == (
        "nothing was promoted, verdict.json says PROCEED_TO_PRODUCTION where the evidence says INVESTIGATE: "
        f"find out why, then judge again by runbook verdict {begun.plan.report.folder}/{begun.folder.run_id}"
    )


@pytest.mark.parametrize("file", ["evidence/deploy.json", "plan.yaml", "manifest.json"])
def test_a_run_that_was_altered_promotes_nothing_and_no_act_seals_that(
    run: Run, staging: Staging, file: str
) -> None:
    run.write_reports()
    edit(run.folder.path / file, run.plan.target.service, "another")
    before, found = staging.traffic(), verify(place(str(run.folder.path))).findings[0]
    run.decide("promote", approved=True, reason="go")
    with pytest.raises(RunRefused, match=f"^nothing was promoted, {found.file} {found.detail}: find out why"):
        run.promote("an override excuses it not")
    assert staging.traffic() == before
    assert found in verify(place(str(run.folder.path))).findings
    run.judge()
    run.write_reports()
    assert verify(place(str(run.folder.path))).findings == ()


def test_a_sealed_run_is_sealed_again_after_each_act_good_or_bad(run: Run, staging: Staging) -> None:
    run.decide("promote", approved=True, reason="before it was ever sealed")
    assert not (run.folder.path / "manifest.json").exists()
    run.write_reports()
    assert earlier_seals(run) == 0
    run.decide("promote", approved=True, reason="go")
    assert earlier_seals(run) == 1
    before = run.folder.ledger_bytes()
    with pytest.raises(RunRefused):
        run.promote("a rehearsal", up_to=30)
    assert run.folder.ledger_bytes() > before
    assert earlier_seals(run) == 2
    run.promote("a rehearsal", up_to=10)
    run.roll_back()
    assert earlier_seals(run) == 4
    staging.delete()
    with pytest.raises(CloudError):
        run.roll_back()
    earlier_seals(run)
