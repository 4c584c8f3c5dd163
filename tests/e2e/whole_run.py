"""Start whole runs as a user does, and write plans that are quick to run."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.plan.criterion import Criterion
from runbook_lib.plan.file import dump_plan, load_plan

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "notebooks" / "plans" / "quickstart.yaml"
QUICK = ROOT / "benchmarks" / "chaos" / "quick.yaml"
"""A plan that looks at everything, and at each thing as little as can be."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended. `run` is the folder of the run that it began, if it named one."""

    code: int
    out: str
    err: str
    run: Path | None


class Shell:
    """Runs `runbook` as a user does, with the project, this one or another, as working folder."""

    def __init__(self, environment: dict[str, str], project: Path = ROOT) -> None:
        self.environment, self._project = environment, project

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and return its process."""
        return subprocess.Popen(
            [Path(sys.executable).parent / "runbook", *arguments],
            cwd=self._project,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def __call__(self, *arguments: str, timeout_s: float = 280) -> Ended:
        """Run a command to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout_s)
        return Ended(code=process.returncode, out=out, err=err, run=run_of(out))


def run_of(out: str) -> Path | None:
    """Return the run folder that a command's output names."""
    words = out.split()
    named = [word for word in words if word.endswith("report.html")]
    return (ROOT / named[-1]).resolve().parent if named else None


def quick_plan(folder: Path, service: str) -> Path:
    """Write the plan of a run that takes a few seconds, on a service of its own; return its file."""
    file = folder / f"{service}.yaml"
    own = f"target: {{service: {service}}}\nreport: {{folder: {folder / 'outputs'}}}\n"
    file.write_text(f"extends: {QUICK}\n{own}", encoding="utf-8")
    return file


@dataclass(frozen=True, kw_only=True)
class PlanMaker:
    """Writes plans with little to wait for: the quickstart without suites and pairs, a service for each."""

    folder: Path

    def __call__(self, service: str, **parameters: str) -> Path:
        given = {
            "target.service": service,
            "report.folder": str(self.folder / "outputs"),
            "metrics.idle_s": "1.5",
            "metrics.settle_s": "1",
            "metrics.drain_s": "1",
            "logs.settle_s": "1",
            "probes.load.rate_per_s": "12",
            "probes.load.sessions": "20",
            **{name.replace("__", "."): value for name, value in parameters.items()},
        }
        plan = load_plan(QUICKSTART, given)
        kept = tuple(criterion for criterion in plan.criteria if not _takes_time(criterion))
        plan = plan.model_copy(update={"suites": {}, "criteria": kept})
        file = self.folder / f"{service}.yaml"
        file.write_text(dump_plan(plan, self.folder), encoding="utf-8")
        return file


def _takes_time(criterion: Criterion) -> bool:
    return criterion.metric.startswith("suite.") or criterion.paired is not None
