"""A project folder as a checkout has it, with the real notebooks and a plan that is quick to run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from runbook_lib.plan.criterion import Criterion
from runbook_lib.plan.file import dump_plan, load_plan
from runbook_lib.run_folder import LedgerEntry, RunFolder

ROOT = Path(__file__).parents[2]
PLAN = "notebooks/plans/small.yaml"
_QUICK = {
    "metrics.idle_s": "1", "metrics.settle_s": "0.5", "metrics.drain_s": "0.5", "logs.settle_s": "0.5",
    "probes.golden_path_sessions": "5", "probes.health.polls": "5", "probes.rounds": "2",
    "probes.load.sessions": "60", "probes.load.rate_per_s": "20",
}  # fmt: skip
_SUITE = "golden-path"


def make_project(folder: Path, **parameters: str) -> Path:
    """Make the project; parameters change the plan, `__` stands for a dot."""
    (folder / "notebooks" / "plans").mkdir(parents=True)
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(notebook, folder / "notebooks")
    given = {name.replace("__", "."): value for name, value in parameters.items()}
    plan = load_plan(ROOT / "notebooks" / "plans" / "quickstart.yaml", _QUICK | given)
    small = plan.model_copy(
        update={
            "suites": {_SUITE: plan.suites[_SUITE]},
            "criteria": tuple(criterion for criterion in plan.criteria if _is_kept(criterion)),
        }
    )
    (folder / PLAN).write_text(dump_plan(small, (folder / PLAN).parent), encoding="utf-8")
    return folder


def set_parameter(project: Path, notebook: str, name: str, value: str) -> None:
    """Set a parameter in the source of a notebook."""
    file = project / "notebooks" / f"{notebook}.ipynb"
    text, count = re.subn(rf'"{name} = \S+  #', f'"{name} = {value}  #', file.read_text("utf-8"))
    assert count == 1
    file.write_text(text, "utf-8")


def newest_run(project: Path) -> RunFolder:
    """Return the newest run of a project."""
    return RunFolder(max(project.glob("outputs/*/plan.yaml")).parent)


def events(run: RunFolder, step: str) -> list[LedgerEntry]:
    """Return what the ledger says of a step, or of decisions on it."""
    return [entry for entry in run.ledger() if entry.step == step]


def _is_kept(criterion: Criterion) -> bool:
    return not criterion.metric.startswith("suite.") or _SUITE in criterion.metric
