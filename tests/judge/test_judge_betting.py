"""The bets are fair: expectations under the hypothesis, by enumerating everything that can happen."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from runbook_lib.evidence.pairs import Grid
from runbook_lib.judge.betting import Array, block_gains, log_fortune, pair_gains
from runbook_lib.judge.cells import ladder, purses, stakes

# Chances of candidate better, equal, worse whose mean is the tolerance in the parameter beside them.
HYPOTHESES = [
    ((0.0, 1.0, 0.0), 0.0),
    ((0.005, 0.99, 0.005), 0.0),
    ((0.3, 0.4, 0.3), 0.0),
    ((0.0, 0.98, 0.02), 0.02),
    ((0.1, 0.7, 0.2), 0.1),
    ((0.25, 0.0, 0.75), 0.5),
]
PAIRS = 9


def everything(chances: tuple[float, ...], pairs: int) -> tuple[Array, Array]:
    """Return every run of so many pairs, a look after each, and how likely it is."""
    cells = np.array(list(itertools.product(range(len(chances)), repeat=pairs)))
    return np.eye(len(chances))[cells], np.prod(np.array(chances)[cells], axis=1)


@pytest.mark.parametrize(("chances", "tolerance"), HYPOTHESES)
def test_betting_on_pairs_against_a_true_hypothesis_wins_nothing_on_average(
    chances: tuple[float, ...], tolerance: float
) -> None:
    runs, likely = everything(chances, PAIRS)
    stake = stakes("failures", tolerance, doubt_the_candidate=True)
    fortunes = np.exp(log_fortune(pair_gains(runs, stake), purses("failures")))
    np.testing.assert_allclose(likely @ fortunes, 1, rtol=1e-9)


@pytest.mark.parametrize("alpha", [0.5, 0.2, 0.05])
@pytest.mark.parametrize(("chances", "tolerance"), HYPOTHESES)
def test_a_true_hypothesis_is_ever_rejected_with_a_probability_of_at_most_alpha(
    chances: tuple[float, ...], tolerance: float, alpha: float
) -> None:
    runs, likely = everything(chances, PAIRS)
    stake = stakes("failures", tolerance, doubt_the_candidate=True)
    highest = log_fortune(pair_gains(runs, stake), purses("failures")).max(axis=1)
    assert likely @ (highest >= -math.log(alpha)) <= alpha


def test_a_false_hypothesis_makes_the_gamblers_rich() -> None:
    runs, likely = everything((0.0, 0.5, 0.5), PAIRS)
    stake = stakes("failures", 0.0, doubt_the_candidate=True)
    assert likely @ (log_fortune(pair_gains(runs, stake), purses("failures"))[:, -1] > math.log(4)) > 0.5


def test_betting_on_looks_is_fair_however_their_pairs_depend_on_each_other() -> None:
    look = np.array([[3.0, 1.0, 9.0], [0.0, 2.0, 7.0], [20.0, 0.0, 0.0]])
    either = np.stack([look, look[:, ::-1]])
    runs = np.array([either[list(sides), range(3)] for sides in itertools.product((0, 1), repeat=3)])
    stake = stakes("failures", 0.0, doubt_the_candidate=True)
    by_looks = np.exp(log_fortune(block_gains(runs, stake), purses("failures")))
    np.testing.assert_allclose(by_looks.mean(axis=0), 1, rtol=1e-9)
    by_pairs = np.exp(log_fortune(pair_gains(runs, stake), purses("failures")))
    assert by_pairs.mean(axis=0)[-1] > 1000


def test_betting_on_looks_is_unfair_to_a_tolerance_of_rare_failures() -> None:
    failures, pairs = np.arange(30), 60
    rare = np.exp([math.log(0.6) * k - 0.6 - math.lgamma(k + 1) for k in failures])
    runs = np.stack([np.zeros(30), pairs - failures, failures], axis=1)[:, None, :]
    stake = stakes("failures", 0.01, doubt_the_candidate=True)
    assert rare @ np.exp(log_fortune(block_gains(runs, stake), purses("failures")))[:, 0] > 1.01


def test_a_look_at_most_doubles_a_fortune_that_is_bet_on_it_as_a_whole() -> None:
    gains = block_gains(np.array([[0.0, 0.0, 1e6]]), stakes("failures", 0.0, doubt_the_candidate=True))
    np.testing.assert_allclose(gains, math.log(2))


@pytest.mark.parametrize("grid", ["failures", "latencies"])
def test_no_pair_can_ruin_a_gambler_and_a_worse_pair_never_pays_less(grid: Grid) -> None:
    for bound in ladder(grid).tolist():
        doubt = stakes(grid, bound, doubt_the_candidate=True)
        assert (np.abs(doubt) < 1).all()
        assert (np.diff(doubt, axis=0) >= 0).all()
        np.testing.assert_array_equal(stakes(grid, bound, doubt_the_candidate=False), -doubt)


@pytest.mark.parametrize("grid", ["failures", "latencies"])
def test_the_gamblers_start_with_one_in_all(grid: Grid) -> None:
    assert purses(grid).sum() == pytest.approx(1)
    assert purses(grid).size == stakes(grid, 0.0, doubt_the_candidate=True).shape[1]


def test_latencies_at_the_bound_are_bet_on_symmetrically() -> None:
    stake = stakes("latencies", math.log(1.5), doubt_the_candidate=True)
    at = 200 + round(100 * math.log(1.5))
    np.testing.assert_allclose(stake[at - 150 : at], -stake[at + 150 : at : -1])


@pytest.mark.parametrize(
    ("ratio", "doubted_at", "trusted_at"),
    [(1.03, 3, 2), (1.10, 10, 9), (math.exp(0.29), 29, 29), (1.0, 0, 0)],
)
def test_a_ratio_between_two_steps_is_taken_the_harder_way(
    ratio: float, doubted_at: int, trusted_at: int
) -> None:
    for doubt, at in ((True, doubted_at), (False, trusted_at)):
        fair = stakes("latencies", math.log(ratio), doubt_the_candidate=doubt)[:, 0] == 0
        assert (np.flatnonzero(fair) - 200).tolist() == [at]
