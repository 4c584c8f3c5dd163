"""Counts of interleaved pairs: what is counted, what is lost, and that shards merge in any order."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from runbook_lib.evidence.pairs import (
    Look,
    Pair,
    PairCounts,
    count_breaches,
    count_exceedances,
    count_failures,
    count_latencies,
    merge,
    pairs_per_look,
)

QUICK = settings(max_examples=60, deadline=None)
LATENCIES = st.none() | st.floats(0, 100) | st.just(math.inf)
PAIRS = st.lists(st.builds(Pair, candidate=LATENCIES, baseline=LATENCIES), max_size=6)


def pair(candidate: float | None, baseline: float | None) -> Pair:
    return Pair(candidate=candidate, baseline=baseline)


def test_failures_are_counted_by_which_side_failed() -> None:
    counts = count_failures(3, [pair(1, 0), pair(0, 1), pair(1, 1), pair(0, 0), pair(0, 0)])
    look = Look(number=3, steps={-1: 1, 0: 3, 1: 1}, baseline_sum=2, baseline_squares=2)
    assert counts == PairCounts(grid="failures", looks=(look,))


def test_a_pair_with_an_unobserved_side_is_lost_and_not_zero() -> None:
    counts = count_failures(0, [pair(None, 0), pair(1, None), pair(None, None), pair(1, 0)])
    assert (counts.pairs, counts.lost) == (1, 3)


def test_latencies_are_counted_in_steps_of_one_percent() -> None:
    counts = count_latencies(0, [pair(1.1, 1.0), pair(1.0, 1.1), pair(0.204, 0.2)])
    assert counts.looks[0].steps == {-10: 1, 2: 1, 10: 1}
    assert counts.looks[0].baseline_sum == round(100 * math.log(1.1)) + round(100 * math.log(0.2))


def test_an_answer_that_never_came_is_slower_than_any_other() -> None:
    counts = count_latencies(0, [pair(math.inf, 1), pair(1, math.inf), pair(math.inf, math.inf), pair(0, 1)])
    assert counts.looks[0].steps == {-200: 2, 0: 1, 200: 1}


@pytest.mark.parametrize("nonsense", [-0.1, math.nan])
def test_a_latency_that_cannot_be_is_refused(nonsense: float) -> None:
    with pytest.raises(ValueError, match=r"^a latency is 0 s or more, not"):
        count_latencies(0, [pair(1, nonsense)])


def test_a_tail_is_what_exceeds_the_threshold_and_not_what_meets_it() -> None:
    counts = count_exceedances(0, [pair(2.1, 2.0), pair(2.0, 1.0), pair(3.0, 3.0)], above_s=2.0)
    assert counts.looks[0].steps == {0: 2, 1: 1}


def test_breaches_are_counted_on_the_candidate_alone() -> None:
    look = Look(number=0, steps={0: 1, 1: 2}, lost=1)
    assert count_breaches(0, [pair(1, 1), pair(0, 1), pair(None, 0), pair(1, None)]) == PairCounts(
        grid="failures", looks=(look,)
    )


@QUICK
@given(
    st.lists(st.tuples(st.integers(0, 3), PAIRS), min_size=1, max_size=8), st.randoms(use_true_random=False)
)
def test_shards_merge_to_the_same_in_any_order_and_grouping(
    shards: list[tuple[int, list[Pair]]], chance: random.Random
) -> None:
    counted = [count_latencies(look, pairs) for look, pairs in shards]
    shuffled = chance.sample(counted, len(counted))
    cut = chance.randint(1, len(counted))
    grouped = [merge(*shuffled[:cut]), *shuffled[cut:]]
    assert merge(*counted) == merge(*grouped)
    assert merge(*counted).pairs + merge(*counted).lost == sum(len(pairs) for _, pairs in shards)


@QUICK
@given(PAIRS)
def test_counts_survive_their_evidence_file(pairs: list[Pair]) -> None:
    counts = count_latencies(5, pairs)
    assert counts.looks[0].pairs == counts.pairs
    assert PairCounts.model_validate_json(counts.model_dump_json()) == counts


def test_the_histogram_is_dense_from_its_lowest_step() -> None:
    assert Look(number=0, steps={-2: 1, 1: 3}).histogram.tolist() == [1, 0, 0, 3]
    assert Look(number=0).histogram.tolist() == []


def test_shards_of_different_grids_and_no_shards_do_not_merge() -> None:
    with pytest.raises(ValueError, match=r"share one grid, these have \['failures', 'latencies'\]"):
        merge(count_failures(0, []), count_latencies(0, []))
    with pytest.raises(ValueError, match=r"share one grid, these have \[\]"):
        merge()


@pytest.mark.parametrize(
    ("looks", "complaint"),
    [
        ([{"number": 1}, {"number": 0}], r"each there once, not \[1, 0\]"),
        ([{"number": 0}, {"number": 0}], r"each there once, not \[0, 0\]"),
        ([{"number": 0, "steps": {2: 1}}], "look 0: failures have steps from -1 to 1"),
        ([{"number": 0, "steps": {-2: 1}}], "look 0: failures have steps from -1 to 1"),
        ([{"number": 0, "steps": {1: 0}}], "look 0: steps must rise, and each must have been seen"),
        ([{"number": 0, "steps": {1: 2, 0: 2}}], "look 0: steps must rise, and each must have been seen"),
        ([{"number": 0, "lost": -1}], "greater than or equal to 0"),
    ],
)
def test_counts_that_nobody_can_have_made_are_refused(looks: list[object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        PairCounts.model_validate({"grid": "failures", "looks": looks})


@pytest.mark.parametrize(("budget", "expected"), [(1, 60), (15_360, 60), (15_361, 61), (10_000_000, 39_063)])
def test_no_budget_makes_more_than_256_looks(budget: int, expected: int) -> None:
    assert pairs_per_look(budget) == expected
    assert math.ceil(budget / expected) <= 256
