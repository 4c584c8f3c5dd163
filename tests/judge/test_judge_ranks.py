"""The rank intervals against what counting every order gives."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations, permutations

import numpy as np
import pytest

from runbook_lib.judge.ranks import kendall_null, mann_whitney_null, shift_interval, slope_interval


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_the_null_of_a_trend_is_that_of_all_orders(n: int) -> None:
    falling = Counter(
        sum(later < earlier for earlier, later in combinations(order, 2)) for order in permutations(range(n))
    )
    expected = [falling[pairs] / math.factorial(n) for pairs in range(n * (n - 1) // 2 + 1)]
    assert kendall_null(n) == pytest.approx(expected)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 4), (4, 1), (3, 3), (2, 5), (4, 3)])
def test_the_null_of_a_shift_is_that_of_all_divisions(n: int, m: int) -> None:
    won = Counter(sum(ours) - n * (n - 1) // 2 for ours in combinations(range(n + m), n))
    expected = [won[pairs] / math.comb(n + m, n) for pairs in range(n * m + 1)]
    assert mann_whitney_null(n, m) == pytest.approx(expected)


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("values", [(1, 2, 3, 4, 5, 6, 7), (1, 1, 2, 2, 2, 3, 3), (1, 1, 1, 1, 1, 1, 2)])
def test_an_interval_of_the_shift_misses_zero_no_more_often_than_it_may_with_and_without_ties(
    values: tuple[int, ...], level: float
) -> None:
    divisions = [set(ours) for ours in combinations(range(len(values)), 3)]
    found = [
        shift_interval(
            np.array([float(values[i]) for i in ours]),
            np.array([float(value) for i, value in enumerate(values) if i not in ours]),
            level,
        )
        for ours in divisions
    ]
    assert sum(each.low > 0 for each in found) <= level * len(divisions)
    assert sum(each.high < 0 for each in found) <= level * len(divisions)


@pytest.mark.parametrize(("values", "rises"), [((1, 2, 3, 4, 5, 6), 6), ((1, 1, 2, 3, 3, 3), 0)])
def test_an_interval_of_the_slope_misses_zero_no_more_often_than_it_may_with_and_without_ties(
    values: tuple[int, ...], rises: int
) -> None:
    orders = list(permutations(values))
    x = np.arange(len(values), dtype=float)
    found = [slope_interval(x, np.array(order, dtype=float), 0.01) for order in orders]
    assert sum(each.low > 0 for each in found) == rises <= 0.01 * len(orders)


def test_the_smallest_samples_that_can_tell_do_and_one_less_cannot() -> None:
    ours, theirs = np.array([4.0, 5.0, 6.0]), np.array([1.0, 2.0, 3.0])
    assert shift_interval(ours, theirs, 1 / 20).low == 1
    assert shift_interval(ours, theirs, 1 / 21).low == -math.inf
    rising = np.arange(5.0)
    assert slope_interval(rising, 2 * rising, 1 / 120).low == pytest.approx(2)
    assert slope_interval(rising, 2 * rising, 1 / 121).low == -math.inf


def test_samples_that_can_tell_nothing_have_an_estimate_and_none_at_all_have_none() -> None:
    few = shift_interval(np.array([3.0]), np.array([1.0, 2.0]), 0.01)
    assert (few.estimate, few.low, few.high) == (1.5, -math.inf, math.inf)
    assert math.isnan(shift_interval(np.array([]), np.array([1.0]), 0.01).estimate)
