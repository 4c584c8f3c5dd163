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
def run(staging: Staging, tmp_path: Path) -> Run:
    """A run that was judged and is not sealed yet."""
    staging.create()
    file = tmp_path / "plan.yaml"
    plan = staging.plan(report={"folder": str(tmp_path / "outputs")})
    file.write_text(dump_plan(plan, tmp_path), encoding="utf-8")
    begun = Run.start(file, {}, tmp_path)
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
