"""Measure what running six notebooks headless costs over making the same step calls in one process.

Prints the median of three interleaved runs and the ratio; needs nothing but this machine.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from runbook_lib.headless import run_notebooks
from runbook_lib.places import NOTEBOOKS, project_root
from runbook_lib.plan import Plan
from runbook_lib.plan_file import dump_plan, load_plan
from runbook_lib.run import Run
from runbook_lib.selftest import STEPS

RUNS = 3
SMALL = {
    "target.service": "bench-service",
    "metrics.idle_s": "0",
    "metrics.settle_s": "0",
    "metrics.drain_s": "0",
    "logs.settle_s": "0",
    "probes.load.sessions": "2",
    "probes.golden_path_sessions": "1",
    "probes.health.polls": "1",
    "probes.rounds": "1",
    "probes.starts_per_agent": "1",
}


def small_plan(folder: Path) -> Path:
    """Write a plan whose work is next to nothing, so that the overhead shows."""
    plan: Plan = load_plan(project_root() / NOTEBOOKS / "plans" / "quickstart.yaml", SMALL)
    kept = tuple(criterion for criterion in plan.criteria if not criterion.metric.startswith("suite."))
    file = folder / "bench.yaml"
    file.write_text(dump_plan(plan.model_copy(update={"suites": {}, "criteria": kept}), folder), "utf-8")
    return file


def by_script(plan: Path, outputs: Path) -> float:
    """Return the seconds of the plain calls."""
    since = time.monotonic()
    run = Run.start(plan, {"report.folder": str(outputs)}, outputs)
    for step in (*STEPS, Run.judge, Run.roll_back):
        step(run)
    run.write_reports()
    return time.monotonic() - since


def by_notebooks(plan: Path, outputs: Path) -> float:
    """Return the seconds of the same by papermill."""
    since = time.monotonic()
    run = Run.start(plan, {"report.folder": str(outputs)}, outputs)
    run_notebooks(run, lambda _: None, project_root() / NOTEBOOKS)
    run.roll_back()
    return time.monotonic() - since


def main() -> None:
    """Print both medians and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = small_plan(folder)
        by_script(plan, folder / "warm-up")  # starts the emulator, warms the imports
        outputs = folder / "outputs"
        times = [(by_script(plan, outputs), by_notebooks(plan, outputs)) for _ in range(RUNS)]
    script, notebooks = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"plain script          {script:6.2f} s")
    print(f"five notebooks        {notebooks:6.2f} s  (papermill {version('papermill')})")
    print(f"notebooks / script    {notebooks / script:6.2f}   median of {RUNS} interleaved runs")


if __name__ == "__main__":
    main()
