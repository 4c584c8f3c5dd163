"""Keep the ratios that the benchmarks measure against their peers, and show them here and in the README.

A benchmark calls `record` once, with all its results, if it ran as its command says; a quick look is lost.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
README = ROOT / "README.md"
_SECTION = re.compile(
    r"(?<=<!-- performance: written by `make bench` -->\n).*(?=<!-- end of performance -->)", re.S
)


def this_machine() -> str:
    """Return what a reader has to know of this machine to compare his own."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, {platform.system()}, Python {platform.python_version()}"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One figure of ours over a peer's, both measured in the same run.

    Attributes:
        name: What is compared, as a reader of the README understands it.
        ratio: Ours over the peer's: of the medians.
        goal: What the ratio should be at least (`higher_is_better`) or at most; None without a goal.
        peer: Program or way that it is compared with.
        runs: Interleaved runs that the medians are of.
        command: Reproduces it in the project's folder.
        ours: Our median with its unit, e.g. `1.2 s`.
        theirs: The peer's.
        machine: Where it was measured.
    """

    name: str
    ratio: float
    goal: float | None = None
    higher_is_better: bool
    peer: str
    peer_version: str
    runs: int
    command: str
    ours: str = ""
    theirs: str = ""
    machine: str = this_machine()

    @property
    def kept(self) -> bool:
        """Whether the goal was reached; a figure without one is for information."""
        if self.goal is None:
            return True
        return self.ratio >= self.goal if self.higher_is_better else self.ratio <= self.goal

    @property
    def bound(self) -> str:
        """The goal in signs."""
        return "–" if self.goal is None else f"{'≥' if self.higher_is_better else '≤'} {self.goal:g}"


def record(results: Sequence[Result], file: Path = RESULTS, readme: Path = README) -> None:
    """Print the results and keep them, in list and README, in place of what their commands gave before."""
    print(table(results))
    commands = {result.command for result in results}
    kept = [result for result in load(file) if result.command not in commands]
    everything = sorted([*kept, *results], key=lambda result: result.command)
    lines = json.dumps([asdict(each) for each in everything], indent=2, ensure_ascii=False)
    file.write_text(f"{lines}\n", encoding="utf-8")
    readme.write_text(with_section(readme.read_text("utf-8"), everything), encoding="utf-8")


def load(file: Path = RESULTS) -> list[Result]:
    """Return what was measured so far."""
    return [Result(**each) for each in json.loads(file.read_text("utf-8"))] if file.is_file() else []


def table(results: Iterable[Result]) -> str:
    """Return a line for each result, for a terminal."""
    return "\n".join(
        f"{each.name:<60} {each.ratio:8.3g}  {each.bound:<8} {'' if each.kept else 'MISSED ':<7}"
        f"{each.ours} against {each.theirs} of {each.peer} {each.peer_version}, "
        f"{each.runs} runs, {each.machine}"
        for each in results
    )


def with_section(readme: str, results: Sequence[Result]) -> str:
    """Return the README with its performance section written from the results.

    Raises:
        ValueError: If it has no place for the section.
    """
    if not _SECTION.search(readme):
        raise ValueError("README.md has no `<!-- performance … -->` and `<!-- end of performance -->` lines")
    return _SECTION.sub(lambda _: _section(results), readme)


def _section(results: Sequence[Result]) -> str:
    if not results:
        return ""
    machines = "; ".join(sorted({each.machine for each in results}))
    return "\n".join(
        [
            f"\nThe ratio is ours over the peer's, by medians of runs that took turns; {machines}.\n",
            "| what | peer | ratio | goal | ours | theirs | runs | command |",
            "|---|---|---|---|---|---|---|---|",
            *map(_row, results),
            "\n",
        ]
    )


def _row(each: Result) -> str:
    missed = "" if each.kept else " (missed)"
    peer, ratio = f"{each.peer} {each.peer_version}".strip(), f"**{each.ratio:.3g}**{missed}"
    cells = (each.name, peer, ratio, each.bound, each.ours, each.theirs, str(each.runs), f"`{each.command}`")
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


if __name__ == "__main__":
    print(table(load()))
