"""Many criteria together: what decides, and how sure it is."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from drawn import SHARE, failures
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge.multiplicity import Weighed, decide, shares
from runbook_lib.judge.paired import PairedFinding, judge_pairs
from runbook_lib.verdict import Outcome

NOTHING = judge_pairs(SHARE, failures(60, 0, 0), 0.001)
EVIDENCE = {Outcome.PASS: (0.0, 200.0), Outcome.INCONCLUSIVE: (1.0, 1.0), Outcome.FAIL: (5000.0, 0.0)}


def found(outcome: Outcome, against: float | None = None, favour: float | None = None) -> PairedFinding:
    """Return a finding with these e-values, or with typical ones of the outcome."""
    typical_against, typical_favour = EVIDENCE[outcome]
    against, favour = against or typical_against, favour or typical_favour
    return replace(NOTHING, outcome=outcome, against=_log(against), favour=_log(favour))


def weighed(name: str, finding: PairedFinding, *, critical: bool = True, share: float = 0.1) -> Weighed:
    return Weighed(id=name, critical=critical, share=share, finding=finding)


def _log(value: float) -> float:
    return math.log(value) if value else 0.0


PASS, OPEN, FAIL = (found(each) for each in (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL))


@pytest.mark.parametrize(
    ("critical", "other", "action", "deciding"),
    [
        (PASS, PASS, "PROCEED_TO_PRODUCTION", "critical"),
        (PASS, OPEN, "PROCEED_TO_PRODUCTION", "critical"),
        (PASS, FAIL, "INVESTIGATE", "other"),
        (OPEN, PASS, "INVESTIGATE", "critical"),
        (OPEN, FAIL, "INVESTIGATE", "critical"),
        (FAIL, PASS, "ROLLBACK", "critical"),
        (FAIL, FAIL, "ROLLBACK", "critical"),
    ],
)
def test_critical_criteria_decide_and_others_can_only_hold_up(
    critical: PairedFinding, other: PairedFinding, action: str, deciding: str
) -> None:
    decision = decide([weighed("other", other, critical=False), weighed("critical", critical)])
    assert (decision.action, decision.deciding) == (action, deciding)
    assert (decision.wrong_at_most is None) == (action == "INVESTIGATE")


@pytest.mark.parametrize(
    ("e_value", "share", "wrong_at_most", "confidence"),
    [
        (1000, 0.1, 0.01, "HIGH"),
        (999, 0.1, 0.01001, "MEDIUM"),
        (200, 0.1, 0.05, "MEDIUM"),
        (199, 0.1, 0.05025, "LOW"),
        (100, 1.0, 0.01, "HIGH"),
        (math.inf, 0.0, 0.0, "HIGH"),
    ],
)
def test_a_rollback_is_as_sure_as_the_share_of_its_criterion_allows(
    e_value: float, share: float, wrong_at_most: float, confidence: str
) -> None:
    failed = found(Outcome.FAIL, against=e_value)
    decision = decide([weighed("one", failed, share=share), weighed("two", PASS)])
    assert decision.wrong_at_most == pytest.approx(wrong_at_most, rel=1e-3)
    assert decision.confidence == confidence


@pytest.mark.parametrize(
    ("e_value", "confidence"), [(100.01, "HIGH"), (99, "MEDIUM"), (20.01, "MEDIUM"), (19, "LOW")]
)
def test_proceeding_is_as_sure_as_the_weakest_pass(e_value: float, confidence: str) -> None:
    weak = found(Outcome.PASS, favour=e_value)
    decision = decide([weighed("strong", PASS), weighed("weak", weak)])
    assert (decision.confidence, decision.deciding) == (confidence, "weak")
    assert decision.wrong_at_most == pytest.approx(1 / e_value)


def test_without_a_critical_criterion_nothing_is_decided() -> None:
    for standings in ([], [weighed("one", PASS, critical=False)]):
        with pytest.raises(ValueError, match=r"^at least one criterion must be critical"):
            decide(standings)


def test_shares_follow_the_weights_and_add_up_to_one() -> None:
    assert shares([2, 1, 1, 0]) == (0.5, 0.25, 0.25, 0.0)
    assert shares([0, 0]) == (0.0, 0.0)


@pytest.mark.parametrize("weight", [-1, math.inf, math.nan])
def test_a_weight_that_is_no_weight_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match=r"^weights are 0 or more, not"):
        shares([1, weight])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([PASS, OPEN, FAIL]), st.booleans()), min_size=1, max_size=6), st.data()
)
def test_a_worse_finding_never_makes_a_better_action(
    drawn: list[tuple[PairedFinding, bool]], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(drawn) - 1))
    before = [weighed("one", PASS), *(weighed(str(n), f, critical=c) for n, (f, c) in enumerate(drawn))]
    worse = data.draw(
        st.sampled_from([each for each in (PASS, OPEN, FAIL) if each.outcome >= drawn[at][0].outcome])
    )
    after = [*before[: at + 1], replace(before[at + 1], finding=worse), *before[at + 2 :]]
    order = ("PROCEED_TO_PRODUCTION", "INVESTIGATE", "ROLLBACK")
    assert order.index(decide(after).action) >= order.index(decide(before).action)
