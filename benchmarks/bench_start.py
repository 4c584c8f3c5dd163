"""Measure how soon the command line answers, beside a Python that does nothing; they take turns."""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.results import Result, record

RUNS = 21
COMMAND = ".venv/bin/python benchmarks/bench_start.py"
ROOT = Path(__file__).parents[1]
RUNBOOK = str(Path(sys.executable).parent / "runbook")
NOTHING = (sys.executable, "-c", "pass")
WAYS = {
    "runbook --help": ((RUNBOOK, "--help"), 2.5),
    "runbook run --help": ((RUNBOOK, "run", "--help"), None),
    "runbook lint, of the largest plan": ((RUNBOOK, "lint", "notebooks/plans/issue-891.yaml"), None),
}


def seconds(command: tuple[str, ...]) -> float:
    """Return how long a command takes from start to end."""
    since = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - since


def main() -> None:
    """Measure, print and keep the ratios."""
    commands = {"": NOTHING} | {name: command for name, (command, _) in WAYS.items()}
    times = [{name: seconds(command) for name, command in commands.items()} for _ in range(RUNS)]
    medians = {name: statistics.median(row[name] for row in times) for name in commands}
    record(
        [
            Result(
                name=f"`{name.partition(',')[0]}`{name[len(name.partition(',')[0]) :]}: time to its end",
                ratio=medians[name] / medians[""],
                goal=goal,
                higher_is_better=False,
                peer="`python -c pass`",
                peer_version=platform.python_version(),
                runs=RUNS,
                command=COMMAND,
                ours=f"{1000 * medians[name]:.0f} ms",
                theirs=f"{1000 * medians['']:.0f} ms",
            )
            for name, (_, goal) in WAYS.items()
        ]
    )


if __name__ == "__main__":
    main()
