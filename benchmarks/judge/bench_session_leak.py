"""Measure how soon a leak of 20 KiB a session is found on the local staging, beside a healthy candidate.

Loads candidate and baseline of the sample service on an emulator of its own, and judges what the Monitoring
API gives, as it grew. Load goes to 127.0.0.1 only. Takes about two and a half minutes for each of
the six runs; an argument sets how many there are of each image.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from runbook_lib.evidence import MetricsEvidence
from runbook_lib.judge.floors import MemoryPoint
from runbook_lib.judge.leak import LeakFinding, LeakSeries, LeakSpec, against_sessions, judge_leak
from runbook_lib.local_cloud import STATE_VARIABLE, emulator_command
from runbook_lib.places import NOTEBOOKS, project_root
from runbook_lib.plan_file import dump_plan, load_plan
from runbook_lib.run import Run
from runbook_lib.verdict import Outcome

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
LOOKS_S = (20, 30, 45, 60, 90, 120)
SPEC = LeakSpec(per="session", at_most=4)
ALPHA = 0.01
LEAKING = {"candidate.env.LEAK_KIB_PER_CHAT": "20"}
SETTINGS = {
    "target.baseline_image": "sample-agent:healthy",
    "metrics.idle_s": "2",
    "metrics.settle_s": "2",
    "metrics.drain_s": "0",
    "probes.load.sessions": "960",
    "probes.load.rate_per_s": "8",
}


def loaded(folder: Path, name: str, **changes: str) -> Run:
    """Deploy a candidate beside a healthy baseline, and load both."""
    plan = load_plan(
        project_root() / NOTEBOOKS / "plans" / "quickstart.yaml",
        {**SETTINGS, **changes, "target.service": name},
    )
    file = folder / f"{name}.yaml"
    file.write_text(dump_plan(plan, folder), "utf-8")
    run = Run.start(file, {"report.folder": str(folder / "outputs")}, folder / "outputs")
    run.deploy()
    run.measure()
    return run


def read(run: Run) -> tuple[dict[str, list[MemoryPoint]], dict[str, list[float]]]:
    """Return each role's memory, and the ends of its sessions, in seconds since the load began."""
    sessions, series = run.folder.find_table("load_sessions"), run.folder.find_table("series")
    evidence = run.folder.read_evidence("metrics", MetricsEvidence)
    assert sessions is not None
    assert series is not None
    ends = sessions["intended_s"] + sessions["connect_s"] + sessions["answer_s"]
    loaded_until = next(each for each in evidence.measurements if each.metric == "load.failures").window.end
    began = pd.Timestamp(loaded_until) - pd.Timedelta(seconds=float(ends.max()))
    memory = series[series["metric"] == "memory"].dropna(subset="value")
    roles = ("candidate", "baseline")
    return {role: _points(memory[memory["role"] == role], began) for role in roles}, {
        role: list(ends[sessions["role"] == role]) for role in roles
    }


def _points(memory: pd.DataFrame, began: pd.Timestamp) -> list[MemoryPoint]:
    seconds = (memory["time"] - began).dt.total_seconds()
    return [MemoryPoint(at=at, mib=mib) for at, mib in zip(seconds, memory["value"], strict=True) if at >= 0]


def look(memory: dict[str, list[MemoryPoint]], ends: dict[str, list[float]], at_s: float) -> LeakFinding:
    """Judge what was there after `at_s` seconds of load."""
    seen = {
        role: against_sessions([point for point in points if point.at <= at_s], ends[role])
        for role, points in memory.items()
    }
    series = LeakSeries(candidate=seen["candidate"], baseline=seen["baseline"])
    return judge_leak(SPEC, series, looks=len(LOOKS_S), alpha=ALPHA)


def settled(findings: Sequence[LeakFinding], valid: bool) -> str:
    """Return when the outcome was settled, and the last finding's reason.

    Args:
        findings: One for each look.
        valid: False where the client lagged: the machine was too busy for the seconds to mean anything.
    """
    first = next((i for i, each in enumerate(findings) if each.outcome is not Outcome.INCONCLUSIVE), None)
    when = "not settled" if first is None else f"{findings[first].outcome.name} after {LOOKS_S[first]} s"
    lag = "" if valid else " (the client lagged)"
    return f"{when}{lag}; after {LOOKS_S[-1]} s: {findings[-1].outcome.name}, {findings[-1].reason}"


def main() -> None:
    """Print one line for each run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ[STATE_VARIABLE] = str(folder / "emulator")
        try:
            for number in range(RUNS):
                for image, changes in (("healthy", {}), ("memory-leak", LEAKING)):
                    run = loaded(
                        folder, f"{image}-{number}", **changes, **{"candidate.image": f"sample-agent:{image}"}
                    )
                    memory, ends = read(run)
                    findings = [look(memory, ends, at_s) for at_s in LOOKS_S]
                    valid = run.folder.read_evidence("metrics", MetricsEvidence).valid
                    print(f"{image:12}", settled(findings, valid), flush=True)
        finally:
            emulator_command(["down"])


if __name__ == "__main__":
    main()
