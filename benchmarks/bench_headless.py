"""Measure what the six notebooks cost over the step calls that they make: by `runbook run` and by papermill.

A plain script makes the same calls in one process. Each way is a process of its own, imports included, and
the ways take turns. The plan waits for nothing and ends with a ROLLBACK, so that all six notebooks run.
The quickstart plan as it is runs by script and by `runbook run`. All of it takes nine minutes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks.results import Result, record
from runbook_lib import __version__
from runbook_lib.places import NOTEBOOKS, project_root
from runbook_lib.plan import Plan
from runbook_lib.plan.criterion import Criterion
from runbook_lib.plan.file import dump_plan, load_plan

RUNS, QUICKSTARTS = 3, 2
COMMAND = ".venv/bin/python benchmarks/bench_headless.py"
BIN = Path(sys.executable).parent
SIX = ("01_deploy", "02_logs", "03_tests", "04_metrics", "05_report", "06_rollback")
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
    "rollout.on_rollback": "automatic",
}
ROLLS_BACK = Criterion.model_validate(
    {"id": "never", "title": "Faster than light", "metric": "load.answer_max_s", "at_most": 1e-9}
)
SCRIPT = """
import sys
from pathlib import Path
from runbook_lib.run import Run
from runbook_lib.selftest import STEPS

run = Run.start(Path(sys.argv[1]), {"report.folder": sys.argv[2]}, Path(sys.argv[2]))
for step in STEPS:
    step(run)
if run.judge().action == "ROLLBACK":
    run.roll_back()
run.release()
run.write_reports()
"""


def small_plan(folder: Path) -> Path:
    """Write a plan whose work is next to nothing, so that the overhead shows."""
    plan: Plan = load_plan(project_root() / NOTEBOOKS / "plans" / "quickstart.yaml", SMALL)
    kept = [each for each in plan.criteria if not each.metric.startswith("suite.") and not each.paired]
    small = plan.model_copy(update={"suites": {}, "criteria": (*kept, ROLLS_BACK)})
    file = folder / "bench.yaml"
    file.write_text(dump_plan(small, folder), "utf-8")
    return file


def by_script(plan: Path, outputs: Path) -> None:
    """Make the plain calls."""
    _call(sys.executable, "-c", SCRIPT, plan, outputs)


def by_runbook(plan: Path, outputs: Path) -> None:
    """Run the notebooks as CI does."""
    _call(BIN / "runbook", "run", plan, "-p", f"report.folder={outputs}")


def by_papermill(plan: Path, outputs: Path) -> None:
    """Run the six notebooks one by one, as one would without this project."""
    given = load_plan(plan, {"report.folder": str(outputs)})
    own = plan.with_name(f"{outputs.name}.yaml")
    own.write_text(dump_plan(given, plan.parent), "utf-8")
    for name in SIX:
        run_dir = "" if name == SIX[0] else str(next(outputs.iterdir()))
        values = {"plan": str(own)} if name == SIX[0] else {"run_dir": run_dir}
        values |= {"confirm": "yes"} if name == SIX[-1] else {}
        parameters = [part for pair in values.items() for part in ("-r", *pair)]
        source, target = project_root() / NOTEBOOKS / f"{name}.ipynb", plan.with_name(f"{name}.ipynb")
        _call(BIN / "papermill", "--no-progress-bar", source, target, *parameters)


def _call(*command: str | Path) -> None:
    done = subprocess.run(
        list(map(str, command)),
        cwd=project_root(),
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 20), done.stdout + done.stderr


def seconds(way: Callable[[Path, Path], None], plan: Path, outputs: Path) -> float:
    """Return how long a way takes."""
    since = time.monotonic()
    way(plan, outputs)
    return time.monotonic() - since


def medians(plan: Path, folder: Path, runs: int, *ways: Callable[[Path, Path], None]) -> list[float]:
    """Return the median seconds of each way, taken in turns; the first turn warms everything up."""
    times = []
    for number in range(runs + 1):
        times.append([seconds(way, plan, folder / f"{way.__name__}-{number}") for way in ways])
        print(
            *(f"{way.__name__} {took:.2f} s" for way, took in zip(ways, times[-1], strict=True)), flush=True
        )
    return [statistics.median(column) for column in zip(*times[1:], strict=True)]


def overhead(folder: Path) -> Result:
    """Measure what the notebooks cost beyond the work that they call for."""
    plan = small_plan(folder)
    script, ours, theirs = medians(plan, folder / "small", RUNS, by_script, by_runbook, by_papermill)
    return Result(
        name="overhead of the six notebooks: wall time less that of their step calls in a script",
        ratio=(ours - script) / (theirs - script), goal=1 / 8, higher_is_better=False,
        peer="papermill", peer_version=version("papermill"), runs=RUNS, command=f"{COMMAND} --only overhead",
        ours=f"{ours - script:.1f} s", theirs=f"{theirs - script:.1f} s",
    )  # fmt: skip


def quickstart(folder: Path) -> Result:
    """Measure the quickstart plan as it is."""
    plan = project_root() / NOTEBOOKS / "plans" / "quickstart.yaml"
    script, ours = medians(plan, folder / "quickstart", QUICKSTARTS, by_script, by_runbook)
    return Result(
        name="the quickstart run: wall time over that of its step calls in a script",
        ratio=ours / script, goal=1.3, higher_is_better=False,
        peer="the same calls in a script", peer_version=__version__, runs=QUICKSTARTS,
        command=f"{COMMAND} --only quickstart", ours=f"{ours:.1f} s", theirs=f"{script:.1f} s",
    )  # fmt: skip


def main() -> None:
    """Measure, print and keep the ratios; without an argument both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["overhead", "quickstart"])
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as folder:
        for measure in (overhead, quickstart):
            if only in (None, measure.__name__):
                record([measure(Path(folder))])


if __name__ == "__main__":
    main()
