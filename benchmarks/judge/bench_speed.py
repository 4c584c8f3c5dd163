"""Keep how long one look of the judge takes: against its bound, and by ten million pairs over a thousand."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from results import Result, record
from speed import speed

COMMAND = ".venv/bin/python benchmarks/judge/bench_speed.py"
LOOK_MS, GROWTH = 5.0, 1.2
RUNS = 200


def main() -> None:
    """Measure and keep both."""
    look, growth = speed()
    record([
        Result(
            name="judge, one look at twelve criteria after 4,000 pairs", ratio=look.value / LOOK_MS, goal=1.0,
            higher_is_better=False, peer="the goal", peer_version="–", runs=RUNS, command=COMMAND,
            ours=f"{look.value:.1f} ms", theirs=f"{LOOK_MS:.0f} ms",
        ),
        Result(
            name="judge, one look: 10 million pairs over 1,000", ratio=growth.value, goal=GROWTH,
            higher_is_better=False, peer="the same with 1,000 pairs", peer_version="–", runs=RUNS,
            command=COMMAND,
        ),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
