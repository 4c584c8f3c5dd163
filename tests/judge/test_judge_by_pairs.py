"""Paired criteria inside a whole judgement: what they ask, what they decide, and when enough was seen."""

from __future__ import annotations

import math
from typing import Any

import pytest
from measured import criterion, judged_run, measured, plan_of

from runbook_lib.evidence.pairs import Pair, PairCounts, count_breaches, count_failures, merge
from runbook_lib.judge import settled
from runbook_lib.judge.by_pairs import bound_text, spec_of
from runbook_lib.judge.risk import risks
from runbook_lib.plan.criterion import Criterion
from runbook_lib.verdict import CriterionResult, Outcome

SHARE = {"tolerance": 0.005, "margin": 0.05}
TIMES = {"tolerance": 1.1, "margin": 1.5}


def share(name: str = "one", **fields: Any) -> Criterion:
    return criterion("pairs.failures", id=name, paired=SHARE | fields.pop("paired", {}), **fields)


def pairs(count: int, bad: int = 0, bad_before: int = 0, size: int = 60) -> PairCounts:
    """Return looks of `size` pairs, the bad ones spread evenly."""
    flags = [
        Pair(candidate=_is(number, bad, count), baseline=_is(number, bad_before, count))
        for number in range(count)
    ]
    looks = range(0, count, size)
    return merge(*(count_failures(look, flags[start : start + size]) for look, start in enumerate(looks)))


def _is(number: int, bad: int, count: int) -> float:
    return float((number + 1) * bad // count > number * bad // count)


def judged(counts: PairCounts | None, **fields: Any) -> CriterionResult:
    plan = plan_of(share(**fields))
    return judged_run(plan, [], {}, {} if counts is None else {"one": counts}).criteria[0]


@pytest.mark.parametrize(
    ("counts", "outcome"),
    [
        (pairs(240), Outcome.PASS),
        (pairs(60), Outcome.INCONCLUSIVE),
        (pairs(240, bad=60), Outcome.FAIL),
        (pairs(240, bad=60, bad_before=60), Outcome.PASS),
        (pairs(240, bad_before=60), Outcome.PASS),
    ],
)
def test_pairs_decide_in_both_directions_and_only_once_there_are_enough(
    counts: PairCounts, outcome: Outcome
) -> None:
    assert judged(counts).outcome is outcome


def test_without_pairs_nothing_passes_and_the_step_is_named() -> None:
    result = judged(None)
    assert result.outcome is Outcome.ERROR
    assert result.reason == "not observed: the step metrics left no evidence of pairs.failures"
    assert result.would_change == "the step metrics has to come to its end"
    assert (result.samples, result.effect, result.interval, result.detectable) == (0, None, None, None)
    assert judged(count_failures(0, [])).outcome is Outcome.INCONCLUSIVE


def test_a_result_says_everything_that_a_reader_needs_to_check_it() -> None:
    plan = plan_of(share(), share("two", paired={"weight": 3}))
    found = [measured("pairs.failures", 0.25, 240), measured("pairs.failures", 0, 240, role="baseline")]
    result = judged_run(plan, found, {}, {"one": pairs(240, bad=60), "two": pairs(240, bad=60)}).criteria[0]
    assert (result.observed, result.baseline, result.unit) == (0.25, 0, "ratio")
    assert (result.effect, result.effect_unit) == (0.25, "ratio")
    assert result.interval is not None
    assert result.interval[0] < 0.25 < result.interval[1]
    assert result.alpha == pytest.approx(0.01 / 4)
    assert result.bound == "within baseline +5 pp; fails beyond +0.5 pp"
    assert result.samples == 240
    assert result.detectable is not None
    assert 0.005 < result.detectable < 0.25
    assert [look.pairs for look in result.trail] == [60, 120, 180, 240]
    assert max(look.against for look in result.trail) >= -math.log10(0.01 / 4)
    assert 0 < (result.wrong_at_most or 1) < 0.01


def test_what_is_open_says_how_many_pairs_would_settle_it() -> None:
    result = judged(pairs(60))
    assert result.needed is not None
    assert result.would_change == f"about {result.needed} more pairs would settle it"
    assert judged(pairs(60 + 60 * math.ceil(result.needed / 60))).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("asked", "kind", "text"),
    [
        (share(), "share", "within baseline +5 pp; fails beyond +0.5 pp"),
        (criterion("pairs.answer_s", paired=TIMES), "latency", "within baseline × 1.5; fails beyond × 1.1"),
        (criterion("pairs.answer_s", paired=SHARE | {"above_s": 2}), "tail",
         "within baseline +5 pp; fails beyond +0.5 pp"),
    ],
)  # fmt: skip
def test_a_metric_and_a_threshold_say_what_is_compared(asked: Criterion, kind: str, text: str) -> None:
    assert spec_of(asked).kind == kind
    assert bound_text(spec_of(asked)) == text


def leaks(flags: list[int]) -> PairCounts:
    return count_breaches(0, [Pair(candidate=flag, baseline=None) for flag in flags])


NEVER = criterion("pairs.leaks", id="leaks", paired={"tolerance": 0, "margin": 0.05})


@pytest.mark.parametrize(
    ("flags", "outcome", "would_change"),
    [
        ([0] * 200 + [1], Outcome.FAIL, "it passes only if it never happens"),
        ([1], Outcome.FAIL, "it passes only if it never happens"),
        ([0] * 200, Outcome.PASS, "it fails by happening once"),
        ([0] * 60, Outcome.INCONCLUSIVE, "about 90 more pairs would settle it"),
        ([], Outcome.INCONCLUSIVE, "more pairs like these would not settle it"),
    ],
)
def test_what_may_never_happen_fails_by_happening_once_and_passes_by_many_sessions_without(
    flags: list[int], outcome: Outcome, would_change: str
) -> None:
    plan = plan_of(NEVER, share())
    judgement = judged_run(plan, [], {}, {"leaks": leaks(flags), "one": pairs(240)})
    result = judgement.criteria[0]
    assert (result.outcome, result.would_change) == (outcome, would_change)
    assert result.bound == "may never happen; passes once more than +5 pp is ruled out"
    assert result.alpha is None  # it is not left to chance, and takes nothing from the others
    assert judgement.criteria[1].alpha == 0.01
    if outcome is Outcome.FAIL:
        assert (judgement.action, judgement.confidence, result.wrong_at_most) == ("ROLLBACK", "HIGH", 0)
    assert settled(plan, {"leaks": leaks(flags), "one": pairs(60)}) is (outcome is Outcome.FAIL)
    assert CriterionResult.model_validate_json(result.model_dump_json()) == result


def test_the_chance_of_a_wrong_rollback_is_shared_out_by_weight() -> None:
    plan = plan_of(
        share("one"), share("two", paired={"weight": 3}), criterion("deploy.ready", id="up", at_least=1)
    )
    assert {name: risk.alpha for name, risk in risks(plan).items()} == pytest.approx(
        {"one": 0.0025, "two": 0.0075}
    )


@pytest.mark.parametrize(
    ("one", "two", "enough"),
    [
        (pairs(240), pairs(240), True),
        (pairs(240), pairs(60), False),
        (pairs(240, bad=60), pairs(60), True),
        (pairs(240), pairs(240, bad=60), True),
        (pairs(60), pairs(240, bad=60), False),  # what is not critical does not end the load
    ],
)
def test_the_load_ends_when_all_is_settled_or_a_critical_comparison_failed(
    one: PairCounts, two: PairCounts, enough: bool
) -> None:
    plan = plan_of(share("one"), share("two", critical=False))
    assert settled(plan, {"one": one, "two": two}) is enough


def test_the_load_ends_only_with_what_the_plan_calls_sure() -> None:
    good, bad = pairs(120), pairs(60, bad=6)
    plan = plan_of(share())
    for field, seen, sure, unsure in (("pass_alpha", good, 0.05, 0.001), ("alpha", bad, 0.1, 1e-6)):
        for level, enough in ((sure, True), (unsure, False)):
            other = plan.model_copy(update={"judging": plan.judging.model_copy(update={field: level})})
            assert settled(other, {"one": seen}) is enough, (field, level)
            assert (
                judged_run(other, [], {}, {"one": seen}).criteria[0].outcome is Outcome.INCONCLUSIVE
            ) is not enough


def test_confidence_is_the_chance_of_error_that_the_pairs_leave() -> None:
    plan = plan_of(share())
    lenient = plan.model_copy(update={"judging": plan.judging.model_copy(update={"pass_alpha": 0.05})})
    assert judged_run(plan, [], {}, {"one": pairs(240)}).confidence == "HIGH"
    assert judged_run(lenient, [], {}, {"one": pairs(120)}).confidence == "MEDIUM"
    assert judged_run(plan, [], {}, {"one": pairs(240, bad=60)}).confidence == "HIGH"
    assert judged_run(plan, [], {}, {"one": pairs(60)}).confidence == "LOW"


@pytest.mark.parametrize(
    ("bad", "alpha", "confidence"), [(60, 0.01, "HIGH"), (9, 0.05, "MEDIUM"), (7, 0.4, "LOW")]
)
def test_a_rollback_is_as_sure_as_the_failure_that_is_surest_whatever_passes(
    bad: int, alpha: float, confidence: str
) -> None:
    plan = plan_of(share("one"), share("two", paired={"weight": 0.001}))
    lenient = plan.model_copy(
        update={"judging": plan.judging.model_copy(update={"alpha": alpha, "pass_alpha": 0.2})}
    )
    judgement = judged_run(lenient, [], {}, {"one": pairs(120, bad=bad), "two": pairs(90)})
    one, two = judgement.criteria
    assert (one.outcome, two.outcome) == (Outcome.FAIL, Outcome.PASS)
    assert (two.wrong_at_most or 0) > 0.05  # it passed, but that does not make the failure less sure
    assert (judgement.action, judgement.confidence) == ("ROLLBACK", confidence), one.wrong_at_most
