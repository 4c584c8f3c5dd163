"""Whether the baseline was steady, and what the judge makes of one that was not."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from runbook_lib.judge.betting import Array
from runbook_lib.judge.cells import Table
from runbook_lib.judge.steadiness import excess
from runbook_lib.judge.weighing import Weights, weigh

LOOKS, PAIRS = 150, 60
BEFORE_IT_CAN_BE_SEEN = 4
SURE = math.log(1000)


def of_looks(values: Array) -> Array:
    """Return the excess for sessions of shape (looks, pairs)."""
    pairs = np.full(values.shape[0], float(values.shape[1]))
    return excess(pairs, values.sum(axis=1), (values**2).sum(axis=1))


def steady() -> Array:
    return np.random.default_rng(1).normal(0, 50, (LOOKS, PAIRS))


def drifting(spread: float) -> Array:
    """Return log-latencies in steps, of which each look has a level of its own."""
    return steady() + np.random.default_rng(2).normal(0, spread, (LOOKS, 1))


def alarms(weights: Weights) -> npt.NDArray[np.bool_]:
    return weights.against >= SURE


def weighed(candidate: Array, baseline: Array, tolerance: float = 0.03) -> Weights:
    """Weigh log-latencies in steps of 1 %."""
    steps = np.clip(np.rint(candidate - baseline), -200, 200).astype(int) + 200
    cells = np.stack([np.bincount(row, minlength=401) for row in steps]).astype(np.float64)
    seen = Table(
        cells=cells,
        lost=np.zeros(len(baseline)),
        sums=baseline.sum(axis=1),
        squares=(baseline**2).sum(axis=1),
    )
    return weigh("latencies", tolerance, 0.10, seen)


def test_a_steady_baseline_has_no_excess_variance() -> None:
    assert (of_looks(steady()) == 1).all()


def test_a_drifting_baseline_is_found_after_five_looks_and_not_before() -> None:
    found = of_looks(drifting(30))
    assert (found[:BEFORE_IT_CAN_BE_SEEN] == 1).all()
    assert (found[BEFORE_IT_CAN_BE_SEEN:] > 5).all()


def test_the_excess_is_the_ratio_of_the_two_variances() -> None:
    looks = np.tile([[0.0, 2.0], [10.0, 12.0]], (5, 1))
    between, within = 2 * np.full(10, 25.0).sum() / 9, 2.0
    assert of_looks(looks)[-1] == between / within


def test_looks_of_unequal_size_weigh_by_their_pairs() -> None:
    looks = [[3.0], [1.0, 2.0], [9.0, 10.0, 14.0], [-30.0], [20.0, 21.0], [5.0]]
    every = np.concatenate(looks)
    between = sum(len(look) * (np.mean(look) - every.mean()) ** 2 for look in looks) / (len(looks) - 1)
    within = sum(((np.array(look) - np.mean(look)) ** 2).sum() for look in looks) / (len(every) - len(looks))
    pairs, sums, squares = (
        np.array([of(look) for look in looks]) for of in (len, sum, lambda look: sum(x * x for x in look))
    )
    assert excess(pairs, sums, squares)[-1] == pytest.approx(between / within)


def test_a_baseline_without_any_variance_is_steady() -> None:
    assert (of_looks(np.zeros((LOOKS, PAIRS))) == 1).all()


def test_looks_without_pairs_change_nothing() -> None:
    values = drifting(30)
    pairs, sums, squares = np.full(LOOKS, 60.0), values.sum(axis=1), (values**2).sum(axis=1)
    with_gap = excess(np.insert(pairs, 20, 0), np.insert(sums, 20, 0), np.insert(squares, 20, 0))
    np.testing.assert_allclose(np.delete(with_gap, 20), excess(pairs, sums, squares))


def test_drift_that_would_fool_bets_on_pairs_does_not_fool_bets_on_looks() -> None:
    fooled, found = 0, 0
    for seed in range(40):
        chance = np.random.default_rng(seed)
        levels = chance.normal(0, 15, (2, LOOKS, 1))
        candidate, baseline = chance.normal(0, 30, (2, LOOKS, PAIRS)) + levels
        unaware = alarms(weighed(candidate - levels[1], baseline - levels[1], tolerance=0))
        if not unaware[:BEFORE_IT_CAN_BE_SEEN].any():
            fooled += bool(unaware.any())
            found += bool(alarms(weighed(candidate, baseline, tolerance=0)).any())
    assert fooled >= 8
    assert found == 0


def test_load_that_both_share_does_not_hide_a_slower_candidate() -> None:
    load = drifting(30) - steady()
    baseline = np.random.default_rng(3).normal(0, 30, (LOOKS, PAIRS)) + load
    candidate = np.random.default_rng(4).normal(15, 30, (LOOKS, PAIRS)) + load
    weights = weighed(candidate, baseline)
    assert weights.excess[-1] > 5
    assert alarms(weights).any()
    assert not alarms(weighed(candidate - 15, baseline)).any()


def test_an_unsteady_baseline_divides_the_evidence_of_failures() -> None:
    failures = np.tile([0.0, 0.0, 0.0, 12.0], 10)
    cells = np.stack([np.zeros(40), np.full(40, 58.0), np.full(40, 2.0)], axis=1)
    bursts = Table(cells=cells, lost=np.zeros(40), sums=failures, squares=failures)
    even = Table(cells=cells, lost=np.zeros(40), sums=np.full(40, 3.0), squares=np.full(40, 3.0))
    unsteady, calm = (weigh("failures", 0, 0.5, seen) for seen in (bursts, even))
    assert (calm.excess == 1).all()
    assert unsteady.excess[-1] > 5
    np.testing.assert_allclose(unsteady.against, calm.against / unsteady.excess)
    np.testing.assert_allclose(unsteady.favour, calm.favour / unsteady.excess)


@pytest.mark.parametrize(("ratio", "expected"), [(3.82, 1.0), (3.84, 3.84)])
def test_five_looks_are_unsteady_above_four_standard_errors(ratio: float, expected: float) -> None:
    levels = math.sqrt(ratio) * np.array([[1.0], [-1.0], [1.0], [-1.0], [0.0]])
    assert of_looks(levels + np.array([[-1.0, 1.0]]))[-1] == pytest.approx(expected)


def test_what_comes_later_does_not_change_what_was_evidence_before() -> None:
    candidate, baseline = drifting(30) + 20, drifting(30)[::-1]
    whole = weighed(candidate, baseline)
    for looks in (1, 3, 20):
        before = weighed(candidate[:looks], baseline[:looks])
        np.testing.assert_allclose(before.against, whole.against[:looks])
        np.testing.assert_allclose(before.favour, whole.favour[:looks])
