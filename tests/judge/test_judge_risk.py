"""How the chance of a wrong ROLLBACK is shared out, and what is left of it once something was seen."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from drawn import SHARE, failures

from runbook_lib.judge.paired import PairedFinding, judge_pairs
from runbook_lib.judge.risk import Risk, shares
from runbook_lib.verdict import Outcome

NOTHING = judge_pairs(SHARE, failures(60, 0, 0), 0.001)


def found(outcome: Outcome, e_value: float) -> PairedFinding:
    log = math.log(e_value)
    return replace(NOTHING, outcome=outcome, against=log, favour=log)


def test_shares_follow_the_weights_and_add_up_to_one() -> None:
    assert shares([2, 1, 1, 0]) == (0.5, 0.25, 0.25, 0.0)
    assert shares([0, 0]) == (0.0, 0.0)
    assert shares([]) == ()


@pytest.mark.parametrize("weight", [-1, math.inf, math.nan])
def test_a_weight_that_is_no_weight_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match=r"^weights are 0 or more, not"):
        shares([1, weight])


@pytest.mark.parametrize(
    ("outcome", "e_value", "share", "wrong_at_most"),
    [
        (Outcome.FAIL, 1000, 0.1, 0.01),
        (Outcome.FAIL, 100, 1.0, 0.01),
        (Outcome.FAIL, 2, 0.1, 1.0),
        (Outcome.FAIL, math.inf, 0.5, 0.0),
        (Outcome.PASS, 100, 0.1, 0.01),
        (Outcome.PASS, 20, 1.0, 0.05),
        (Outcome.INCONCLUSIVE, 20, 1.0, None),
    ],
)
def test_a_fail_is_as_sure_as_its_share_allows_and_a_pass_as_its_evidence(
    outcome: Outcome, e_value: float, share: float, wrong_at_most: float | None
) -> None:
    risk = Risk(share=share, alpha=0.01 * share, pass_alpha=0.01)
    seen = risk.wrong_at_most(found(outcome, e_value))
    assert seen == (None if wrong_at_most is None else pytest.approx(wrong_at_most))
