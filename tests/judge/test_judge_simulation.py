"""The benchmark's judge of many runs is the product's judge of one, and small runs keep what it promises."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "judge"))

import ours
import world

from runbook_lib.evidence.pairs import Pair, PairCounts, count_failures, count_latencies, merge
from runbook_lib.judge.paired import judge_pairs
from runbook_lib.judge.risk import shares
from runbook_lib.verdict import Outcome

SCENARIOS = (
    world.Scenario(name="A/A"),
    world.Scenario(name="drift", drift=0.3),
    world.Scenario(name="slower", slower=1.25),
    world.Scenario(name="errors", rates={"errors": 0.04}),
    world.Scenario(name="isolation", rates={"isolation": 0.002}),
)
RUNS, PAIRS = 2, 1000


def counted(asked: world.Asked, seen: world.Observed, run: int, until: int) -> PairCounts:
    """Count the sessions of one run one by one, as the product does."""
    latency = asked.spec.kind == "latency"
    count = count_latencies if latency else count_failures
    values = (
        np.exp(side[run].astype(np.float64)) if latency else side[run]
        for side in (seen.candidate, seen.baseline)
    )
    pairs = [Pair(candidate=float(c), baseline=float(b)) for c, b in zip(*values, strict=True)]
    return merge(*(count(at // 60, pairs[at : at + 60]) for at in range(0, until, 60)))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_watching_many_runs_at_once_decides_as_judging_one_after_the_other(scenario: world.Scenario) -> None:
    seen = world.simulate(scenario, world.TWELVE, RUNS, PAIRS, np.random.default_rng(3))
    watched = ours.watch(world.TWELVE, seen)
    portions = shares([asked.weight for asked in world.TWELVE])
    for run in range(RUNS):
        for until in (600, PAIRS):
            outcomes = {
                judge_pairs(
                    asked.spec, counted(asked, seen[asked.name], run, until), ours.ROLLBACK_ALPHA * share
                ).outcome
                for asked, share in zip(world.TWELVE, portions, strict=True)
            }
            assert (Outcome.FAIL in outcomes) == (watched.rollback[run] <= until)
            if watched.proceed[run] > until:
                assert outcomes != {Outcome.PASS}


def test_small_runs_keep_what_the_benchmark_promises_of_large_ones() -> None:
    chance = np.random.default_rng(5)
    same, slow, errors = (
        ours.watch(world.TWELVE, world.simulate(scenario, world.TWELVE, 40, pairs, chance))
        for scenario, pairs in (
            (world.Scenario(name="A/A"), 6000),
            (world.Scenario(name="+30 %", slower=1.3), 1200),
            (world.Scenario(name="errors", rates={"errors": 0.05}), 1200),
        )
    )
    assert np.mean(same.rollback < np.inf) <= 0.05
    assert np.mean(same.proceed < np.inf) >= 0.8
    assert np.median(slow.rollback) <= 250
    assert np.mean(errors.rollback < np.inf) >= 0.95
