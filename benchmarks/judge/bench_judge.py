"""Measure how often the paired judge is right and how soon, beside its rivals, on seeded simulations.

Every promised figure is printed with its bound; one that is missed ends the benchmark with exit code 1.
`--quick` makes a tenth of the runs, for a look in between: its figures are too coarse to be held to bounds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from zlib import crc32

import numpy as np
from figure import Figure
from ours import NEVER, Array, Watched, watch
from rivals import OF_FAILURES, OF_LATENCIES, Judge
from speed import speed
from world import LOOK, TWELVE, Asked, Observed, Scenario, simulate

CHUNK = 50
SHORT, LONG = 3_960, 14_040
ERRORS = next(each for each in TWELVE if each.name == "errors")
ANSWER = next(each for each in TWELVE if each.name == "answer")
SAME = Scenario(name="A/A")


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
