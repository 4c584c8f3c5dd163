"""Measure how often the paired judge is right and how soon, beside its rivals, on seeded simulations.

Every promised figure is printed with its bound; one that is missed ends the benchmark with exit code 1.
`--quick` makes a tenth of the runs, for a look in between: its figures are too coarse to be held to bounds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import numpy.typing as npt
from ours import NEVER, Array, Watched, watch
from rivals import OF_FAILURES, OF_LATENCIES, Judge
from world import LOOK, SPREAD, TWELVE, Asked, Observed, Scenario, simulate

from runbook_lib.judge.paired import PairedSpec, judge_pairs
from runbook_lib.pairs import FURTHEST, STEPS_PER_LOG, Look, PairCounts

CHUNK = 50
SHORT, LONG = 3_960, 14_040
ERRORS = next(each for each in TWELVE if each.name == "errors")
ANSWER = next(each for each in TWELVE if each.name == "answer")
SAME = Scenario(name="A/A")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One promise: a value in the unit of its name, and the bound that it keeps to."""

    name: str
    value: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the value is within its bound; a figure without one is for information."""
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)

    def __str__(self) -> str:
        bound = "" if self.at_most is None else f"at most {self.at_most:g}"
        bound = bound if self.at_least is None else f"at least {self.at_least:g}"
        verdict = "" if not bound else "kept" if self.kept else "MISSED"
        return f"{self.name:74s} {self.value:10.4g}   {bound:15s} {verdict}"


def watched(scenario: Scenario, asked: tuple[Asked, ...], runs: int, pairs: int, **level: float) -> Watched:
    """Simulate many runs and watch each to its end."""
    parts = [watch(asked, seen, **level) for seen in _chunks(scenario, asked, runs, pairs)]
    return Watched(
        rollback=np.concatenate([part.rollback for part in parts]),
        proceed=np.concatenate([part.proceed for part in parts]),
    )


def harmless(runs: int) -> Iterator[Figure]:
    """Revisions that do not differ, twelve criteria, a look every 60 pairs, not stopped before 14,000."""
    same = watched(SAME, TWELVE, runs, LONG)
    yield Figure(name="A/A: ROLLBACK, % all of confidence HIGH", value=_percent(same.rollback), at_most=0.5)
    yield Figure(name="A/A: PROCEED within 14,000 pairs, %", value=_percent(same.proceed), at_least=95)
    yield Figure(name="A/A: pairs to PROCEED, median", value=float(np.median(same.proceed)))
    for drift, at_most in ((0.03, 1), (0.10, 5)):
        moved = watched(replace(SAME, drift=drift), TWELVE, runs, LONG)
        name = f"A/A, drift of {drift:.0%} between the revisions: ROLLBACK, %"
        yield Figure(name=name, value=_percent(moved.rollback), at_most=at_most)


def regressions(runs: int) -> Iterator[Figure]:
    """Candidates that are worse, twelve criteria, at most 4,000 pairs."""
    errors = watched(Scenario(name="errors to 2 %", rates={"errors": 0.02}), TWELVE, runs, SHORT)
    yield Figure(
        name="errors 0.5 to 2 %: ROLLBACK within 4,000 pairs, %", value=_percent(errors.rollback), at_least=99
    )
    yield Figure(
        name="errors 0.5 to 2 %: pairs, median", value=float(np.median(errors.rollback)), at_most=1350
    )
    sequence = watched(Scenario(name="sequence to 2 %", rates={"sequence": 0.02}), TWELVE, runs, SHORT)
    yield Figure(
        name="sequence failures 0.1 to 2 %: pairs, median",
        value=float(np.median(sequence.rollback)),
        at_most=750,
    )
    slow = watched(Scenario(name="+30 %", slower=1.3), TWELVE, runs, SHORT)
    yield Figure(name="latency +30 %: pairs, median", value=float(np.median(slow.rollback)), at_most=250)
    for load in (True, False):
        slower = watched(Scenario(name="+10 %", slower=1.1, load=load), TWELVE, runs, SHORT)
        name = f"latency +10 %, {'changing' if load else 'steady'} load: "
        yield Figure(
            name=f"{name}ROLLBACK within 4,000 pairs, %", value=_percent(slower.rollback), at_least=90
        )
        yield Figure(name=f"{name}pairs, median", value=float(np.median(slower.rollback)))
        early = np.mean(slower.proceed < slower.rollback)
        yield Figure(name=f"{name}PROCEED before, %", value=100 * float(early), at_most=2)


def alone(runs: int) -> Iterator[Figure]:
    """Single criteria at 1 %: a coarse failure, and candidates exactly at the margin."""
    coarse = watched(Scenario(name="errors to 5 %", rates={"errors": 0.05}), (ERRORS,), 5 * runs, 500)
    yield Figure(
        name="errors 0.5 to 5 %, alone: found within 500 pairs, %",
        value=_percent(coarse.rollback),
        at_least=95,
    )
    for each, candidate in (
        (ERRORS, Scenario(name="margin", rates={"errors": ERRORS.rate + ERRORS.spec.margin})),
        (ANSWER, Scenario(name="margin", slower=ANSWER.spec.margin)),
        (ANSWER, Scenario(name="margin, steady", slower=ANSWER.spec.margin, load=False)),
    ):
        wrong = _percent(watched(candidate, (each,), runs, SHORT).proceed)
        yield Figure(name=f"{each.name} at the {candidate.name}: PASS at any look, %", value=wrong, at_most=2)


def where_it_fails(runs: int) -> Iterator[Figure]:
    """Worlds that the judge was not made for: for information."""
    for memory in (120, 240, 1000):
        slow = replace(SAME, drift=0.10, drift_memory_pairs=memory)
        rolled = watched(slow, TWELVE, runs, SHORT).rollback
        yield Figure(
            name=f"A/A, drift of 10 % remembered for {memory} pairs: ROLLBACK in 4,000, %",
            value=_percent(rolled),
        )
    for name, candidate in {
        "latency +10 %, 3 % of sessions 4.5 times slower": Scenario(
            name="freaks", slower=1.1, freak_share=0.03
        ),
        "latency +10 %, spread 0.8 instead of 0.5": Scenario(name="wide", slower=1.1, spread=0.8),
        "latency +5 %": Scenario(name="+5 %", slower=1.05),
        "latency +3 %, which is tolerated": Scenario(name="+3 %", slower=1.03),
        "errors 0.5 to 1 %": Scenario(name="errors to 1 %", rates={"errors": 0.01}),
    }.items():
        rolled = watched(candidate, TWELVE, runs, SHORT).rollback
        yield Figure(name=f"{name}: ROLLBACK in 4,000 pairs, %", value=_percent(rolled))


def rivals(runs: int) -> None:
    """Print how often each judge alarms within 4,000 pairs, and after how many pairs in the median."""
    errors = [Scenario(name=f"{rate:.1%}", rates={"errors": rate}) for rate in (0.005, 0.01, 0.02, 0.05)]
    slow = [Scenario(name=f"× {ratio:g}", slower=ratio) for ratio in (1, 1.05, 1.1, 1.3)]
    steady = [replace(each, name=f"{each.name} steady", load=False) for each in slow]
    print(f"\nAlarms of single criteria within {SHORT:,} pairs, % (median pairs); the first column is A/A")
    for asked, scenarios, judges in (
        (ERRORS, errors, OF_FAILURES),
        (ANSWER, slow, OF_LATENCIES),
        (ANSWER, steady, OF_LATENCIES),
    ):
        print(f"{asked.name:42s}", *(f"{each.name:>14s}" for each in scenarios))
        for name, judge in {"ours, 1 %": _ours(asked), **judges}.items():
            print(f"{name:42s}", *(f"{_alarms(judge, asked, each, runs):>14s}" for each in scenarios))


def speed() -> Iterator[Figure]:
    """How long a look takes; every look but the last was looked at before."""
    ordinary, few, many = _look_ms(60, 15, 150_000)
    yield Figure(name="one look at 12 criteria after 4,000 pairs, ms", value=ordinary, at_most=5)
    yield Figure(
        name="67 looks: 10 million pairs over 1,000 pairs, ratio of times", value=many / few, at_most=1.2
    )


def _look_ms(*pairs_per_look: int) -> list[float]:
    """Return the milliseconds of processor time for all criteria after 67 looks, each the best of 200.

    One after the other in turn, so that whatever else the machine does slows them all.
    """
    rng = np.random.default_rng(67)
    total = [0.0] * len(pairs_per_look)
    for each in TWELVE:
        counts = [_counted(each, pairs, rng) for pairs in pairs_per_look]
        took = [[_judging_ms(each.spec, seen) for seen in counts] for _ in range(200)]
        total = [sum(pair) for pair in zip(total, np.min(took, axis=0).tolist(), strict=True)]
    return total


def _judging_ms(spec: PairedSpec, seen: PairCounts) -> float:
    since = time.process_time()
    judge_pairs(spec, seen, 0.001)
    return 1000 * (time.process_time() - since)


def _counted(asked: Asked, pairs_per_look: int, rng: np.random.Generator) -> PairCounts:
    """Draw the counts themselves: as pairs, ten million would be a bench of something else."""
    grid = asked.spec.grid
    steps = np.arange(-FURTHEST[grid], FURTHEST[grid] + 1)
    if grid == "latencies":
        odds = np.exp(-((steps / STEPS_PER_LOG) ** 2) / (4 * SPREAD**2))
    else:
        odds = np.array([asked.rate, 1 - 2 * asked.rate, asked.rate])
    looks = rng.multinomial(pairs_per_look, odds / odds.sum(), size=67)
    return PairCounts(grid=grid, looks=tuple(_look(number, steps, row) for number, row in enumerate(looks)))


def _look(number: int, steps: npt.NDArray[np.int64], pairs: npt.NDArray[np.int64]) -> Look:
    seen = pairs > 0
    histogram = dict(zip(steps[seen].tolist(), pairs[seen].tolist(), strict=True))
    return Look(number=number, steps=histogram, baseline_squares=int(pairs.sum()))


def _chunks(
    scenario: Scenario, asked: tuple[Asked, ...], runs: int, pairs: int
) -> Iterator[dict[str, Observed]]:
    rng = np.random.default_rng(crc32(repr(scenario).encode()))
    for _ in range(max(1, runs // CHUNK)):
        yield simulate(scenario, asked, CHUNK, pairs, rng)


def _percent(found: Array) -> float:
    return 100 * float(np.mean(found < NEVER))


def _ours(asked: Asked) -> Judge:
    return lambda seen: watch((asked,), {asked.name: seen}).rollback


def _alarms(judge: Judge, asked: Asked, scenario: Scenario, runs: int) -> str:
    found = np.concatenate([judge(seen[asked.name]) for seen in _chunks(scenario, (asked,), runs, SHORT)])
    median = float(np.median(found))
    return f"{_percent(found):.1f}" + (f" ({median:.0f})" if median < NEVER else "")


def main(quick: bool) -> int:
    """Print everything; return 1 if a promise was not kept."""
    runs = 200 if quick else 2000
    print(f"{runs:,} runs a scenario, a look every {LOOK} pairs")
    missed = 0
    for part in (speed, lambda: harmless(runs), lambda: regressions(runs), lambda: alone(runs)):
        for figure in part():
            print(figure, flush=True)
            missed += not figure.kept
    print("\nWhere it fails, for information")
    for figure in where_it_fails(runs // 4):
        print(figure, flush=True)
    rivals(runs // 4)
    return int(missed > 0 and not quick)


if __name__ == "__main__":
    sys.exit(main("--quick" in sys.argv[1:]))
