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

from runbook_lib.evidence import MetricsEvidence
from runbook_lib.evidence.memory import MemoryWatch
from runbook_lib.judge.by_leak import series_of
from runbook_lib.judge.leak import LeakFinding, LeakSpec, judge_leak
from runbook_lib.local_cloud import STATE_VARIABLE, emulator_command
from runbook_lib.places import NOTEBOOKS, project_root
from runbook_lib.plan.file import dump_plan, load_plan
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


def look(watch: MemoryWatch, at_s: float) -> LeakFinding:
    """Judge what was there after `at_s` seconds of load."""
    series = series_of(SPEC, watch.model_copy(update={"load_s": at_s}))
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
                    watch = run.folder.read_evidence("memory", MemoryWatch)
                    findings = [look(watch, at_s) for at_s in LOOKS_S]
                    valid = run.folder.read_evidence("metrics", MetricsEvidence).valid
                    print(f"{image:12}", settled(findings, valid), flush=True)
        finally:
            emulator_command(["down"])


if __name__ == "__main__":
    main()
