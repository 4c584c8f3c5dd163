"""Tell, file by file, how many small changes of the judge's code the tests have noticed; see `make mutants`.

Ends with exit code 1 where fewer than 90 % were noticed, or some were not tried: those are named.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

WANTED = 0.9
# What mutmut keeps of each change: the tests' exit code, or a code of its own.
NOTICED, SURVIVED, SLOW = (1, 3), (0, 5, 33), (24, -24, 36, 152, 255)
FOLDER = Path("mutants/runbook_lib/judge")


def verdict(code: int | None) -> str:
    """Return what became of one change; tests that never end have noticed it."""
    if code in SURVIVED:
        return "survived"
    return "killed" if code in NOTICED or code in SLOW else "not tried"


def main() -> int:
    """Print one line for each file and the changes that nobody noticed."""
    total: Counter[str] = Counter()
    left: list[str] = []
    print(f"{'file':24s}{'killed':>8s}{'survived':>10s}{'not tried':>11s}{'all':>7s}")
    for meta in sorted(FOLDER.glob("*.meta")):
        codes = json.loads(meta.read_text("utf-8"))["exit_code_by_key"]
        found = Counter(verdict(code) for code in codes.values())
        left += [name for name, code in codes.items() if verdict(code) == "survived"]
        total += found
        if codes:
            print(_row(meta.name.removesuffix(".meta"), found))
    print(_row("all", total))
    share = total["killed"] / max(1, total["killed"] + total["survived"])
    print(f"{100 * share:.1f} % of the tried ones were killed; to see one: python -m mutmut show NAME")
    print("\n".join(left))
    return int(share < WANTED or total["not tried"] > 0)


def _row(name: str, found: Counter[str]) -> str:
    return (
        f"{name:24s}{found['killed']:>8,}{found['survived']:>10,}{found['not tried']:>11,}{found.total():>7,}"
    )


if __name__ == "__main__":
    sys.exit(main())
