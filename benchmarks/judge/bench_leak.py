"""Measure false alarms, wrong passes and detection of the leak test, its rivals, and the start-up test.

Simulated and seeded: 200 ± 5 MiB with a sawtooth, sampled each 5 s for 30 min, looked at six times. Prints
one table for leaks and one for start-ups; takes about two minutes. An argument sets the number of runs.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from runbook_lib.judge.floors import MemoryPoint
from runbook_lib.judge.leak import LeakSeries, LeakSpec, judge_leak
from runbook_lib.judge.startup import StartSamples, judge_startup
from runbook_lib.verdict import Outcome

Floats = NDArray[np.float64]

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 300
SEED = 891
ALPHA = 0.01
LOOKS_MIN = (10, 14, 18, 22, 26, 30)
AT_MOST = 0.1
LEAK = 0.5
PERIOD_S = 5


@dataclass(frozen=True, kw_only=True)
class World:
    """How memory moves without a leak; times in minutes, memory in MiB.

    Attributes:
        cycles: Mean time between collections, of candidate and baseline.
        tooth: What a collection frees.
        noise: Standard deviation from sample to sample.
        wander: Standard deviation of what is remembered for 3 minutes.
        warm_up: What caches grow by, on candidate and baseline, with a time constant of 2 minutes.
        load: Height of a wave of load that both share, on top of a rise by as much in 30 minutes.
    """

    cycles: tuple[float, float] = (1.0, 1.0)
    tooth: float = 10.0
    noise: float = 1.0
    wander: float = 0.0
    warm_up: tuple[float, float] = (0.0, 0.0)
    load: float = 0.0


WORLDS = {
    "sawtooth of 1 min": World(),
    "sawtooth of 30 s": World(cycles=(0.5, 0.5)),
    "sawtooth of 2 min": World(cycles=(2.0, 2.0)),
    "sawtooth of 3 min": World(cycles=(3.0, 3.0)),
    "sawteeth of 0.5 and 2 min": World(cycles=(0.5, 2.0)),
    "warm-up of 30 MiB": World(warm_up=(30.0, 30.0)),
    "warm-up of 40 and 30 MiB": World(warm_up=(40.0, 30.0)),
    "drifting load of 20 MiB": World(load=20.0),
    "noise of 3 MiB": World(noise=3.0),
    "sawtooth of 10 min": World(cycles=(10.0, 10.0)),
    "wandering by 1 MiB": World(wander=1.0),
    "wandering, no sawtooth": World(wander=1.0, tooth=0.0),
}


def memory(world: World, side: int, leak: float, shared: Floats, chance: np.random.Generator) -> Floats:
    """Return one revision's memory at each sample."""
    times = _times()
    cycle = world.cycles[side]
    drops = np.cumsum(cycle * chance.uniform(0.8, 1.2, int(2 * LOOKS_MIN[-1] / cycle) + 3)) - 2 * cycle
    following = np.searchsorted(drops, times, side="right")
    tooth = world.tooth * (times - drops[following - 1]) / (drops[following] - drops[following - 1])
    noise = world.noise * chance.standard_normal(len(times))
    warm_up = world.warm_up[side] * (1 - np.exp(-times / 2))
    return 195 + tooth + noise + world.wander * _wandering(chance) + warm_up + leak * times + shared


def _times() -> Floats:
    return np.arange(0, LOOKS_MIN[-1], PERIOD_S / 60)


def _wandering(chance: np.random.Generator) -> Floats:
    keep = math.exp(-PERIOD_S / 60 / 3)
    steps = chance.standard_normal(len(_times()))
    for i in range(1, len(steps)):
        steps[i] = keep * steps[i - 1] + math.sqrt(1 - keep**2) * steps[i]
    return steps


def floors_test(candidate: Floats, baseline: Floats) -> Outcome:
    """Judge as the runbook does."""
    spec = LeakSpec(per="minute", at_most=AT_MOST)
    series = LeakSeries(candidate=_points(candidate), baseline=_points(baseline))
    return judge_leak(spec, series, looks=len(LOOKS_MIN), alpha=ALPHA).outcome


def _points(mib: Floats) -> tuple[MemoryPoint, ...]:
    return tuple(MemoryPoint(at=at, mib=m) for at, m in zip(_times(), mib.tolist(), strict=False))


def slope_test(candidate: Floats, _: Floats) -> Outcome:
    """Judge by a straight line through the candidate's memory, as dashboards do (OLS, t-test)."""
    at = _times()[: len(candidate)]
    centred = at - at.mean()
    slope = centred @ candidate / (centred @ centred)
    left = candidate - candidate.mean() - slope * centred
    error = math.sqrt(left @ left / (len(at) - 2) / (centred @ centred))
    return _by_score((slope - AT_MOST) / error)


def trend_test(candidate: Floats, _: Floats) -> Outcome:
    """Judge by Mann and Kendall on the candidate's samples as they are, less what the bound allows."""
    values = candidate - AT_MOST * _times()[: len(candidate)]
    n = len(values)
    rising = int(np.sum(np.sign(values[:, None] - values[None, :])[np.tril_indices(n, -1)]))
    return _by_score(rising / math.sqrt(n * (n - 1) * (2 * n + 5) / 18))


def _by_score(score: float) -> Outcome:
    limit = NormalDist().inv_cdf(1 - ALPHA / len(LOOKS_MIN))
    if score > limit:
        return Outcome.FAIL
    return Outcome.PASS if score < -limit else Outcome.INCONCLUSIVE


Judge = Callable[[Floats, Floats], Outcome]
JUDGES: dict[str, Judge] = {"floors": floors_test, "OLS slope": slope_test, "Mann-Kendall": trend_test}


def first_settled(world: World, leak: float, judge: Judge, seed: int) -> tuple[Outcome, int]:
    """Return the first outcome that is not INCONCLUSIVE and its minute; the last look's without one."""
    chance = np.random.default_rng((SEED, seed))
    times = _times()
    shared = world.load * (np.sin(times / 4 + chance.uniform(0, 6)) + times / LOOKS_MIN[-1])
    sides = [memory(world, side, leak * (side == 0), shared, chance) for side in (0, 1)]
    for minute in LOOKS_MIN:
        seen = round(minute * 60 / PERIOD_S)
        outcome = judge(sides[0][:seen], sides[1][:seen])
        if outcome is not Outcome.INCONCLUSIVE:
            return outcome, minute
    return Outcome.INCONCLUSIVE, LOOKS_MIN[-1]


def leak_row(world: World, judge: Judge, runs: int) -> str:
    """Return the shares of false alarms, wrong passes at the bound and leaks found, with the median."""
    without = [first_settled(world, 0.0, judge, seed)[0] for seed in range(runs)]
    at_bound = [first_settled(world, AT_MOST, judge, seed)[0] for seed in range(runs)]
    leaking = [first_settled(world, LEAK, judge, seed) for seed in range(runs)]
    minutes = sorted(minute for outcome, minute in leaking if outcome is Outcome.FAIL)
    median = f"{minutes[len(minutes) // 2]} min" if minutes else "-"
    return (
        f"{without.count(Outcome.FAIL) / runs:7.1%} {at_bound.count(Outcome.PASS) / runs:7.1%}"
        f" {len(minutes) / runs:7.1%} {median:>7}"
    )


def start_row(candidate: int, baseline: int, history: int, factor: float, machine: float) -> str:
    """Return how often starts slower by `factor` FAIL and PASS a bound of 1.25; spread 15 %.

    Args:
        candidate: Starts of it.
        baseline: Starts of it now.
        history: Starts of it before, on a machine where everything takes `machine` times as long.
        factor: The truth.
        machine: The history's.
    """
    chance = np.random.default_rng(SEED)
    runs, outcomes = 2 * RUNS, []
    for _ in range(runs):
        ours, now, before = (
            tuple(size * np.exp(0.15 * chance.standard_normal(n)))
            for n, size in ((candidate, factor), (baseline, 1.0), (history, machine))
        )
        starts = StartSamples(candidate_s=ours, baseline_s=now, history_s=before)
        outcomes.append(judge_startup(starts, at_most_ratio=1.25, alpha=ALPHA).outcome)
    return f"{outcomes.count(Outcome.FAIL) / runs:7.1%} {outcomes.count(Outcome.PASS) / runs:7.1%}"


def main() -> None:
    """Print both tables."""
    print(
        f"leak {LEAK} MiB/min, bound {AT_MOST}, alpha {ALPHA:.0%} over looks at {LOOKS_MIN} min, {RUNS} runs"
    )
    print(f"{'memory':27}{'judge':13}{'false':>7} {'w.pass':>7} {'found':>7} {'median':>7}")
    for name, world in WORLDS.items():
        for judge_name, judge in JUDGES.items():
            runs = RUNS if judge is floors_test else max(20, RUNS // 5)
            print(f"{name:27}{judge_name:13}{leak_row(world, judge, runs)}", flush=True)
    print(f"\nstart-ups, bound 1.25, alpha {ALPHA:.0%}, {2 * RUNS} runs")
    print(f"{'starts (candidate, baseline, history)':48}{'truth':>6} {'FAIL':>7} {'PASS':>7}")
    for counts in ((3, 3, 0, 1.0), (5, 5, 0, 1.0), (3, 3, 30, 1.0), (5, 5, 30, 1.0), (3, 3, 30, 0.75)):
        machine = "" if counts[3] == 1 else f", on a machine {counts[3]:g} as slow"
        for factor in (1.0, 1.25, 1.5, 2.0):
            row = start_row(counts[0], counts[1], counts[2], factor, counts[3])
            print(f"{counts[0]}, {counts[1]}, {counts[2]}{machine:40}{factor:6g} {row}", flush=True)


if __name__ == "__main__":
    main()
