"""Measure what twenty services in one call cost over one: time, and memory a run, the local cloud left out.

Peak memory is what all processes of the call have to themselves, with their share of what they have in common
(PSS), over the runs that go on at the same time.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.bench_headless import small_plan
from benchmarks.results import Result, record
from runbook_lib import __version__
from runbook_lib.places import project_root

SERVICES, AT_ONCE = 20, 4
COMMAND = ".venv/bin/python benchmarks/bench_fleet.py"
RUNBOOK = str(Path(sys.executable).parent / "runbook")
MEMORY_MB = 250


def call(plans: list[Path], outputs: Path) -> tuple[float, float]:
    """Validate all plans in one call; return the seconds and the peak of memory in megabytes."""
    since, peak = time.monotonic(), 0.0
    command = [
        RUNBOOK,
        "run-all",
        *map(str, plans),
        "--at-once",
        str(AT_ONCE),
        "-p",
        f"report.folder={outputs}",
    ]
    with subprocess.Popen(command, cwd=project_root(), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            with suppress(psutil.Error):
                top = psutil.Process(process.pid)
                family = [top, *(each for each in top.children(recursive=True) if _ours(each))]
                peak = max(peak, sum(each.memory_full_info().pss for each in family) / 1e6)
            time.sleep(0.25)
    assert process.returncode == 20, process.returncode
    return time.monotonic() - since, peak


def _ours(process: psutil.Process) -> bool:
    return "runbook_lib.emulator" not in " ".join(process.cmdline())


def main() -> None:
    """Measure, print and keep the ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = small_plan(folder).read_text("utf-8")
        plans = [folder / f"service-{number:02}.yaml" for number in range(SERVICES)]
        for plan in plans:
            plan.write_text(text.replace("bench-service", f"bench-{plan.stem}"), "utf-8")
        call(plans[:1], folder / "warm-up")
        one_s, _ = call(plans[:1], folder / "one")
        all_s, peak_mb = call(plans, folder / "all")
    each_mb = peak_mb / AT_ONCE
    print(f"peak {peak_mb:.0f} MB: {each_mb:.0f} MB for each of {AT_ONCE} runs (at most {MEMORY_MB})")
    record(
        [
            Result(
                name=f"{SERVICES} services in one call, {AT_ONCE} at once: time over that of one service",
                ratio=all_s / one_s,
                goal=12,
                higher_is_better=False,
                peer="`runbook run-all` with one plan",
                peer_version=__version__,
                runs=1,
                command=COMMAND,
                ours=f"{all_s:.0f} s, {each_mb:.0f} MB a run",
                theirs=f"{one_s:.0f} s",
            )
        ]
    )


if __name__ == "__main__":
    main()
