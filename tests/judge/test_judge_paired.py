"""One criterion judged by its pairs: outcomes at, above and below its bounds, and what must hold of all."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from drawn import LATENCY, SHARE, TAIL, ZERO, failures, flags, latencies
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runbook_lib.evidence.pairs import (
    Look,
    Pair,
    PairCounts,
    count_breaches,
    count_failures,
    count_latencies,
    merge,
)
from runbook_lib.judge.cells import ladder, table
from runbook_lib.judge.estimates import estimate
from runbook_lib.judge.paired import judge_pairs, weighed
from runbook_lib.judge.paired_spec import PairedSpec
from runbook_lib.judge.paired_text import reason
from runbook_lib.judge.trail import trail
from runbook_lib.verdict import Outcome

ALPHA = 0.001
FINE, BAD = (Pair(candidate=flag, baseline=0) for flag in (0, 1))
QUICK = settings(max_examples=40, deadline=None)
SPECS = (SHARE, TAIL, LATENCY, ZERO)
WIDE = {
    "share": PairedSpec(kind="share", tolerance=0, margin=0.4),
    "tail": PairedSpec(kind="tail", tolerance=0.05, margin=0.4),
    "latency": PairedSpec(kind="latency", tolerance=1.1, margin=1.9),
}


@pytest.mark.parametrize(
    ("spec", "counts", "outcome"),
    [
        (SHARE, failures(1200, 0.05, 0.005), Outcome.FAIL),
        (SHARE, failures(1200, 0.01, 0.01), Outcome.INCONCLUSIVE),
        (SHARE, failures(6000, 0.01, 0.01), Outcome.PASS),
        (SHARE, failures(6000, 0.0, 0.02), Outcome.PASS),
        (SHARE, failures(6000, 0.015, 0.005), Outcome.FAIL),
        (TAIL, failures(6000, 0.06, 0.05), Outcome.PASS),
        (TAIL, failures(1200, 0.06, 0.05), Outcome.INCONCLUSIVE),
        (TAIL, failures(3000, 0.12, 0.05), Outcome.FAIL),
        (LATENCY, latencies(3000, 1.03), Outcome.PASS),
        (LATENCY, latencies(3000, 1.20), Outcome.FAIL),
        (LATENCY, latencies(180, 1.06), Outcome.INCONCLUSIVE),
        (LATENCY, latencies(600, 0.90), Outcome.PASS),
        (ZERO, failures(600, 0.0, 0.0), Outcome.INCONCLUSIVE),
        (ZERO, failures(720, 0.0, 0.0), Outcome.PASS),
    ],
)
def test_a_criterion_fails_above_its_tolerance_and_passes_within_its_margin(
    spec: PairedSpec, counts: PairCounts, outcome: Outcome
) -> None:
    assert judge_pairs(spec, counts, ALPHA).outcome is outcome


def test_what_may_never_happen_fails_by_happening_once() -> None:
    seen = merge(count_breaches(0, [FINE] * 5000), count_breaches(1, [BAD]))
    found = judge_pairs(ZERO, seen, alpha=0)
    assert (found.outcome, found.against) == (Outcome.FAIL, math.inf)
    assert reason(found) == "happened in 1 of 5,001 sessions, and may never happen"


def test_without_a_share_of_alpha_nothing_but_the_forbidden_fails() -> None:
    assert judge_pairs(SHARE, failures(1200, 0.5, 0.0), alpha=0).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("spec", SPECS)
def test_no_data_never_passes(spec: PairedSpec) -> None:
    nothing = PairCounts(grid=spec.grid)
    only_lost = PairCounts(grid=spec.grid, looks=(Look(number=0, lost=10_000),))
    for counts in (nothing, only_lost):
        found = judge_pairs(spec, counts, ALPHA)
        assert found.outcome is Outcome.INCONCLUSIVE
        assert (found.observed, found.interval, found.pairs_needed) == (None, None, None)
    assert reason(judge_pairs(spec, only_lost, ALPHA)) == "no pair of sessions was observed (10,000 lost)"


def test_pairs_that_were_lost_count_as_bad_before_anything_passes() -> None:
    seen = failures(6000, 0.01, 0.01)
    lost = PairCounts(grid="failures", looks=(Look(number=100, lost=120),))
    assert judge_pairs(SHARE, seen, ALPHA).outcome is Outcome.PASS
    assert judge_pairs(SHARE, merge(seen, lost), ALPHA).outcome is Outcome.INCONCLUSIVE


def test_a_failure_once_proven_stays_proven() -> None:
    bad, good = failures(600, 0.1, 0.0), failures(12_000, 0.0, 0.03)
    later = PairCounts(
        grid="failures",
        looks=tuple(look.model_copy(update={"number": look.number + 10}) for look in good.looks),
    )
    found = judge_pairs(SHARE, merge(bad, later), ALPHA)
    assert found.outcome is Outcome.FAIL
    assert found.interval is not None
    assert found.interval[0] >= SHARE.tolerance
    assert judge_pairs(SHARE, later, ALPHA).outcome is Outcome.PASS


def test_a_pass_is_taken_back_when_the_candidate_turns_bad() -> None:
    good, bad = failures(3000, 0.0, 0.0), count_failures(50, [Pair(candidate=1, baseline=0)] * 30)
    assert judge_pairs(SHARE, good, 1e-9).outcome is Outcome.PASS
    assert judge_pairs(SHARE, merge(good, bad), 1e-9).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("kind", "tolerance", "margin", "complaint"),
    [
        ("share", 0.01, 0.01, "share needs 0 <= tolerance < margin < 1"),
        ("share", -0.01, 0.01, "share needs 0 <= tolerance < margin < 1"),
        ("tail", 0.0, 1.0, "tail needs 0 <= tolerance < margin < 1"),
        ("latency", 0.9, 1.1, "latency needs 1 <= tolerance < margin <= 1.99"),
        ("latency", 1.1, 1.1, "latency needs 1 <= tolerance < margin <= 1.99"),
        ("latency", 1.0, 2.0, "latency needs 1 <= tolerance < margin <= 1.99"),
        ("zero", 0.001, 0.01, "zero tolerates nothing, not 0.001"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(
    kind: str, tolerance: float, margin: float, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        PairedSpec(kind=kind, tolerance=tolerance, margin=margin)  # type: ignore[arg-type]


def test_latencies_are_not_judged_by_counts_of_failures() -> None:
    with pytest.raises(ValueError, match=r"^latency is judged by latencies, these pairs count failures$"):
        judge_pairs(LATENCY, failures(60, 0, 0), ALPHA)


def test_what_may_never_happen_is_not_excused_by_the_baseline() -> None:
    with pytest.raises(ValueError, match=r"^zero is judged by breaches of the candidate alone"):
        judge_pairs(ZERO, failures(600, 0.1, 0.1), ALPHA)


def counted(kind: str, looks: list[list[tuple[float, float]]]) -> PairCounts:
    count = count_latencies if kind == "latency" else count_failures
    made = [[Pair(candidate=c, baseline=b) for c, b in pairs] for pairs in looks]
    return merge(*(count(number, pairs) for number, pairs in enumerate(made)))


def runs(kind: str) -> st.SearchStrategy[list[list[tuple[float, float]]]]:
    """Draw runs of up to 9 looks that are mostly clear one way or the other."""
    value = st.sampled_from([0.5, 1.0, 1.1, 3.0] if kind == "latency" else [0.0, 0.0, 0.0, 1.0])
    return st.lists(st.lists(st.tuples(value, value), min_size=1, max_size=8), min_size=1, max_size=9)


@QUICK
@given(st.sampled_from(list(WIDE)), st.data())
def test_more_bad_evidence_never_improves_an_outcome(kind: str, data: st.DataObject) -> None:
    looks = data.draw(runs(kind))
    number = data.draw(st.integers(0, len(looks) - 1))
    at = data.draw(st.integers(0, len(looks[number]) - 1))
    before = judge_pairs(WIDE[kind], counted(kind, looks), 0.3, 0.3)
    candidate, baseline = looks[number][at]
    looks[number][at] = (candidate * 4 if kind == "latency" else 1.0, baseline)
    after = judge_pairs(WIDE[kind], counted(kind, looks), 0.3, 0.3)
    assert after.outcome >= before.outcome
    assert after.against >= before.against - 1e-9
    assert after.favour <= before.favour + 1e-9


def test_bad_evidence_does_not_improve_an_outcome_by_making_the_judge_patient() -> None:
    steady, burst = failures(1200, 0.05, 0.01), count_failures(7, [Pair(candidate=1, baseline=0)] * 60)
    assert judge_pairs(SHARE, merge(steady, burst), 1e-6).excess == 1
    assert judge_pairs(SHARE, merge(steady, burst), 1e-6).outcome is Outcome.FAIL


@QUICK
@given(st.sampled_from(list(WIDE)), st.data(), st.randoms(use_true_random=False))
def test_shards_in_any_order_get_the_same_verdict(
    kind: str, data: st.DataObject, chance: random.Random
) -> None:
    looks = data.draw(runs(kind))
    count = count_latencies if kind == "latency" else count_failures
    shards = [
        count(number, [Pair(candidate=c, baseline=b)]) for number, pairs in enumerate(looks) for c, b in pairs
    ]
    shuffled = merge(*chance.sample(shards, len(shards)))
    assert judge_pairs(WIDE[kind], shuffled, 0.3, 0.3) == judge_pairs(
        WIDE[kind], counted(kind, looks), 0.3, 0.3
    )


@QUICK
@given(st.sampled_from(list(WIDE)), st.data())
def test_interval_and_outcome_say_the_same(kind: str, data: st.DataObject) -> None:
    found = judge_pairs(WIDE[kind], counted(kind, data.draw(runs(kind))), 0.1, 0.1)
    assert found.interval is not None
    low, high = found.interval
    assert low <= high
    if found.outcome is Outcome.FAIL:
        assert low >= found.spec.tolerance
    if found.outcome is Outcome.PASS:
        assert high <= found.spec.margin
        assume(found.against > 0)
        assert low < found.spec.margin


def test_a_bare_pass_has_an_interval_within_its_margin() -> None:
    odd = PairedSpec(kind="share", tolerance=0, margin=0.013)
    found = (judge_pairs(odd, failures(pairs, 0, 0), ALPHA) for pairs in range(300, 900, 10))
    bare = next(each for each in found if each.outcome is Outcome.PASS)
    assert bare.favour < math.log(50) + 0.2
    assert bare.interval is not None
    assert bare.interval[1] <= odd.margin


def test_lost_pairs_widen_the_interval_and_raise_the_number_that_is_still_needed() -> None:
    seen, lost = failures(600, 0.002, 0.002), PairCounts(grid="failures", looks=(Look(number=10, lost=2),))
    few, more = (judge_pairs(SHARE, counts, ALPHA) for counts in (seen, merge(seen, lost)))
    assert few.pairs_needed is not None
    assert more.pairs_needed is not None
    assert more.pairs_needed > few.pairs_needed
    assert few.interval is not None
    assert more.interval is not None
    assert more.interval[1] > few.interval[1]


def test_an_interval_covers_the_truth_as_often_as_it_promises() -> None:
    covered, runs_made = 0, 150
    for seed in range(runs_made):
        found = judge_pairs(TAIL, flags(300, 0.3, 0.2, seed), 0.1, 0.1)
        assert found.interval is not None
        covered += found.interval[0] <= 0.1 <= found.interval[1]
    assert covered / runs_made >= 0.8
    assert covered < runs_made  # A judge who knows nothing would cover it always.


def test_the_estimate_of_pairs_still_needed_is_about_right() -> None:
    short, long = failures(600, 0.004, 0.004), failures(6000, 0.004, 0.004)
    needed = judge_pairs(SHARE, short, ALPHA).pairs_needed
    assert needed is not None
    settled = next(at.pairs for at in trail(weighed(SHARE, long)) if at.favour >= math.log10(50))
    assert 0.5 < (600 + needed) / settled < 2


def test_the_smallest_effect_is_found_about_half_the_time() -> None:
    effect = judge_pairs(SHARE, flags(1200, 0.02, 0.02, seed=1), 0.01).smallest_effect
    assert effect is not None
    found = [
        judge_pairs(SHARE, flags(1200, 0.02 + effect, 0.02, seed), 0.01).outcome is Outcome.FAIL
        for seed in range(40)
    ]
    assert 12 <= sum(found) <= 36


def test_the_trail_ends_where_the_finding_is() -> None:
    counts = failures(600, 0.02, 0.005)
    seen, found = trail(weighed(SHARE, counts)), judge_pairs(SHARE, counts, ALPHA)
    assert [at.pairs for at in seen] == list(range(60, 601, 60))
    assert max(at.against for at in seen) == pytest.approx(found.against / math.log(10))
    assert seen[-1].favour == pytest.approx(found.favour / math.log(10))


def test_the_trail_of_what_may_never_happen_jumps_beyond_doubt() -> None:
    seen = trail(weighed(ZERO, merge(count_breaches(0, [FINE] * 60), count_breaches(1, [FINE, BAD]))))
    assert [(at.pairs, at.against) for at in seen] == [(60, 0), (62, 99)]


@pytest.mark.parametrize(
    ("spec", "counts", "sentence"),
    [
        (
            SHARE,
            failures(1200, 0.05, 0.005),
            "+4.5 pp, surely beyond +2.1 pp; +0 pp is tolerated (1,200 pairs)",
        ),
        (
            SHARE,
            failures(6000, 0.01, 0.01),
            "+0 pp, surely within +0.63 pp; +1 pp is allowed (6,000 pairs)",
        ),
        (
            SHARE,
            failures(1200, 0.01, 0.01),
            "cannot rule out +1.4 pp, +1 pp is allowed (1,200 pairs); about 1,100 more pairs would settle it",
        ),
        (
            SHARE,
            failures(300, 0.01, 0.0),
            "cannot rule out +4 pp, +1 pp is allowed (300 pairs); about 1,100 more pairs would settle it",
        ),
        (
            LATENCY,
            latencies(3000, 1.20),
            "× 1.21, surely beyond × 1.16; × 1.03 is tolerated (3,000 pairs)",
        ),
        (
            LATENCY,
            latencies(3000, 1.00),
            "× 1.01, surely within × 1.04; × 1.1 is allowed (3,000 pairs)",
        ),
        (
            LATENCY,
            latencies(180, 1.06),
            "cannot rule out × 1.2, × 1.1 is allowed (180 pairs); about 2,300 more pairs would settle it",
        ),
    ],
)
def test_a_reason_is_one_plain_sentence(spec: PairedSpec, counts: PairCounts, sentence: str) -> None:
    assert reason(judge_pairs(spec, counts, ALPHA)) == sentence


def test_an_unsteady_baseline_makes_the_interval_wider_and_the_smallest_effect_larger() -> None:
    seen = table(failures(1200, 0.03, 0.02))
    calm, unsteady = (
        estimate("failures", seen, excess, tolerance=0.01, margin=0.02, alpha=0.01, pass_alpha=0.02)
        for excess in (1.0, 4.0)
    )
    assert unsteady.mean == calm.mean
    assert unsteady.low < calm.low < calm.mean < calm.high < unsteady.high
    assert calm.smallest_effect < unsteady.smallest_effect
    assert calm.pairs_needed is not None
    assert unsteady.pairs_needed is not None
    assert unsteady.pairs_needed + 1200 == pytest.approx(4 * (calm.pairs_needed + 1200), abs=4)


def test_the_smallest_effect_is_the_one_whose_growth_comes_to_the_evidence_that_is_needed() -> None:
    counts = failures(1200, 0.3, 0.1)
    found = estimate("failures", table(counts), 1.0, tolerance=0.01, margin=0.5, alpha=0.01, pass_alpha=0.02)
    steps = np.repeat([-1, 0, 1], [counts_of(counts, step) for step in (-1, 0, 1)])
    effect, needed = found.smallest_effect - 0.01, (1 + math.log(100)) / 1200
    assert effect**2 / (2 * (np.var(steps) + effect)) == pytest.approx(needed)
    none = estimate("failures", table(counts), 1.0, tolerance=0.01, margin=0.5, alpha=0, pass_alpha=0.02)
    assert none.smallest_effect == math.inf


def counts_of(counts: PairCounts, step: int) -> int:
    return sum(look.steps.get(step, 0) for look in counts.looks)


@pytest.mark.parametrize("spec", [SHARE, LATENCY])
def test_where_nothing_can_be_ruled_out_the_interval_is_all_there_is(spec: PairedSpec) -> None:
    one = count_failures if spec is SHARE else count_latencies
    found = judge_pairs(spec, one(0, [Pair(candidate=1, baseline=1)]), 1e-9, 1e-9)
    whole = ladder(spec.grid)
    assert found.interval == pytest.approx((spec.off_grid(whole[0]), spec.off_grid(whole[-1])))


@pytest.mark.parametrize(("needed", "words"), [(7, "7"), (87, "87"), (871, "880"), (1201, "1,300")])
def test_a_forecast_has_two_digits_and_rather_too_many_pairs(needed: int, words: str) -> None:
    found = replace(judge_pairs(SHARE, failures(60, 0.0, 0.0), ALPHA), pairs_needed=needed)
    assert reason(found).endswith(f"; about {words} more pairs would settle it")


def test_a_reason_says_when_the_baseline_was_unsteady() -> None:
    found = replace(judge_pairs(SHARE, failures(6000, 0.01, 0.01), ALPHA), excess=1.5)
    assert reason(found).endswith("; +1 pp is allowed (6,000 pairs, the baseline being unsteady)")


def test_before_the_first_look_there_is_no_evidence_and_a_good_look_leaves_none_against() -> None:
    found = judge_pairs(SHARE, PairCounts(grid="failures"), ALPHA)
    assert (found.against, found.favour, found.excess) == (0, 0, 1)
    assert judge_pairs(SHARE, failures(60, 0.0, 0.5), ALPHA).against == 0


def test_what_may_never_happen_shows_itself_half_the_time_at_a_rate_of_ln_2_by_the_sessions() -> None:
    found = judge_pairs(ZERO, failures(600, 0.0, 0.0), ALPHA)
    assert found.smallest_effect is not None
    assert (1 - found.smallest_effect) ** 600 == pytest.approx(0.5, rel=0.001)
