"""Count how often `runbook diff` calls chance a change, and how often it names a planted one.

The runs are made as the tests make them: `python benchmarks/compare/alarms.py --pairs 1000`. Not a part of
`make bench`: nothing in it is a ratio to a peer.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "compare"))
from made_runs import made_run

from runbook_lib.compare import diff

PLANTED: dict[str, dict[str, Any]] = {
    "nothing": {},
    **{f"answers {slower} × as slow": {"slower": slower} for slower in (1.1, 1.2, 1.3, 1.5)},
    **{f"{bad:.0%} of the sessions fail": {"bad": bad} for bad in (0.03, 0.06, 0.1)},
}


def main() -> None:
    """Print one line for each thing that is planted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1000)
    pairs = parser.parse_args().pairs
    for words, planted in PLANTED.items():
        count = pairs if not planted else max(1, pairs // 10)
        named: Counter[str] = Counter()
        seen = 0
        for pair in range(count):
            changes = diff(made_run(2 * pair), made_run(2 * pair + 1, **planted)).changes
            named.update(f"{each.group} {each.what}" for each in changes)
            seen += bool(changes)
        print(
            f"{words}: a change was named in {seen} of {count} pairs; {dict(named.most_common(4))}",
            flush=True,
        )


if __name__ == "__main__":
    main()
