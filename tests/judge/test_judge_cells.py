"""Counts as arrays, and what each cell of the grid wins a gambler."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runbook_lib.evidence.pairs import FURTHEST, Grid, Look, PairCounts
from runbook_lib.judge.cells import ladder, ladder_logs, purses, stakes, table

GRIDS: tuple[Grid, Grid] = ("failures", "latencies")
LOOKS = (
    Look(number=0, steps={-1: 2, 1: 3}, lost=4, baseline_sum=5, baseline_squares=6),
    Look(number=3, lost=1),
    Look(number=4, steps={0: 7}, baseline_sum=-8, baseline_squares=9),
)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_table_has_every_count_in_its_cell(grid: Grid) -> None:
    seen, middle = table(PairCounts(grid=grid, looks=LOOKS)), FURTHEST[grid]
    assert seen.cells.shape == (3, 2 * middle + 1)
    assert (seen.cells[0, middle - 1], seen.cells[0, middle + 1], seen.cells[2, middle]) == (2, 3, 7)
    assert seen.cells.sum() == 12
    assert seen.lost.tolist() == [4, 1, 0]
    assert seen.sums.tolist() == [5, 0, -8]
    assert seen.squares.tolist() == [6, 0, 9]
    assert seen.pairs.tolist() == [5, 0, 7]
    assert (seen.at_worst - seen.cells).sum(axis=1).tolist() == [4, 1, 0]
    assert (seen.at_worst - seen.cells)[:, -1].tolist() == [4, 1, 0]


@pytest.mark.parametrize("doubt", [True, False])
@pytest.mark.parametrize(
    ("grid", "bound"), [("failures", 0.02), ("latencies", math.log(1.1)), ("latencies", 0.05)]
)
def test_a_pair_on_the_bound_wins_nothing_and_no_pair_can_take_all(
    grid: Grid, bound: float, doubt: bool
) -> None:
    found, steps = (
        stakes(grid, bound, doubt_the_candidate=doubt),
        np.arange(-FURTHEST[grid], FURTHEST[grid] + 1),
    )
    differences = steps / (100 if grid == "latencies" else 1)
    beyond = differences > bound if doubt else differences < bound
    fair = np.isclose(differences, bound, atol=0.0101 if grid == "latencies" else 0)
    assert (found[beyond & ~fair] > 0).all()
    assert (found[~beyond & ~fair] < 0).all()
    assert (np.abs(found) < 1).all()


def test_a_bound_between_two_steps_is_rounded_the_harder_way() -> None:
    between = math.log(1.03)  # 2.96 steps
    doubt, trust = (stakes("latencies", between, doubt_the_candidate=side) for side in (True, False))
    assert np.flatnonzero(doubt[:, 0] == 0).tolist() == [FURTHEST["latencies"] + 3]
    assert np.flatnonzero(trust[:, 0] == 0).tolist() == [FURTHEST["latencies"] + 2]
    for exact in (0.07, 0.29):  # whole steps that floating point misses by a hair
        both = [stakes("latencies", exact, doubt_the_candidate=side) for side in (True, False)]
        assert [np.flatnonzero(each[:, 0] == 0).tolist() for each in both] == [
            [FURTHEST["latencies"] + round(100 * exact)]
        ] * 2


def test_a_ratio_beyond_the_clip_tells_no_more() -> None:
    found = stakes("latencies", 0.0, doubt_the_candidate=True)[:, -1]
    assert found[FURTHEST["latencies"] + 130] == found[-1] == 0.8
    assert found[FURTHEST["latencies"] + 129] < 0.8
    assert found[0] == -0.8


@pytest.mark.parametrize("grid", GRIDS)
def test_the_gamblers_share_one_fortune(grid: Grid) -> None:
    assert purses(grid).sum() == pytest.approx(1)
    assert len(purses(grid)) == stakes(grid, 0.0, doubt_the_candidate=True).shape[1]


@pytest.mark.parametrize("grid", GRIDS)
def test_the_ladder_rises_from_one_side_to_the_other_and_its_logs_are_those_of_the_stakes(grid: Grid) -> None:
    rungs = ladder(grid)
    assert (np.diff(rungs) > 0).all()
    assert rungs[0] == -rungs[-1]
    assert 0 in rungs
    logs = ladder_logs(grid, doubt_the_candidate=True)
    at = len(rungs) // 3
    np.testing.assert_array_equal(logs[:, at], np.log1p(stakes(grid, rungs[at], doubt_the_candidate=True)))


def test_what_is_shared_by_all_looks_cannot_be_written_over() -> None:
    for shared in (
        stakes("failures", 0.01, doubt_the_candidate=True),
        purses("failures"),
        ladder("failures"),
    ):
        with pytest.raises(ValueError, match="read-only"):
            shared[0] = 0.5
