"""What must hold of the judge for every criterion and all evidence."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from measured import judged_run, measured, plan_of

from runbook_lib.evidence import Measurement
from runbook_lib.judge.criterion import find
from runbook_lib.plan.criterion import BaselineBound, Criterion
from runbook_lib.verdict import Outcome

QUICK = settings(max_examples=80, deadline=None)
NUMBERS = st.floats(-100, 100).map(lambda number: round(number, 2))
COUNTS = st.integers(0, 5)
ACTIONS = ("PROCEED_TO_PRODUCTION", "INVESTIGATE", "ROLLBACK")
METRICS = ("load.failures", "session.conflicts", "isolation.leaks")
RELATIVE = st.one_of(
    st.builds(BaselineBound, at_most_increase=NUMBERS),
    st.builds(BaselineBound, at_most_ratio=st.floats(0.1, 10)),
)


def criteria(
    metric: str = "load.failures", critical: tuple[bool, ...] = (True, False)
) -> st.SearchStrategy[Criterion]:
    """Draw criteria of every kind of bound, alone and together."""
    fields = st.fixed_dictionaries(
        {
            "critical": st.sampled_from(critical),
            "min_samples": st.integers(1, 5),
            "failure_limit": st.integers(0, 2),
            "must_have_data": st.booleans(),
            "at_most": st.none() | NUMBERS,
            "at_least": st.none() | NUMBERS,
            "baseline": st.none() | RELATIVE,
        }
    )
    bounded = fields.filter(lambda drawn: {drawn["at_most"], drawn["at_least"], drawn["baseline"]} != {None})
    return bounded.map(
        lambda drawn: Criterion(id=metric.replace(".", "-"), title="One", metric=metric, **drawn)
    )


def measurements(metric: str = "load.failures") -> st.SearchStrategy[Measurement]:
    return st.builds(
        lambda value, samples, failed, missing: measured(
            metric, value, samples, failed=failed, missing=missing
        ),
        st.none() | NUMBERS, COUNTS, COUNTS, COUNTS,
    )  # fmt: skip


BASELINES = st.none() | measurements().map(lambda found: found.model_copy(update={"role": "baseline"}))


@QUICK
@given(criteria(), st.none() | measurements(), BASELINES)
def test_a_pass_has_seen_everything_that_it_speaks_of(
    asked: Criterion, seen: Measurement | None, before: Measurement | None
) -> None:
    if find(asked, seen, before, "").outcome is Outcome.PASS:
        assert seen is not None
        assert seen.value is not None
        assert seen.samples >= asked.min_samples
        assert seen.missing == 0
        assert seen.failed <= asked.failure_limit
        assert asked.at_most is None or seen.value <= asked.at_most
        assert asked.at_least is None or seen.value >= asked.at_least
        assert asked.baseline is None or (before and before.value is not None and before.samples > 0)


@QUICK
@given(criteria(), measurements(), BASELINES, st.sampled_from(["value", "samples", "all"]))
def test_no_data_never_passes(
    asked: Criterion, seen: Measurement, before: Measurement | None, lost: str
) -> None:
    without = {"value": {"value": None}, "samples": {"samples": 0}, "all": {"value": None, "samples": 0}}
    poorer = seen.model_copy(update=without[lost])
    assert find(asked, poorer, before, "").outcome is not Outcome.PASS
    assert find(asked, None, before, "").outcome is Outcome.ERROR


@QUICK
@given(criteria(), measurements(), BASELINES, COUNTS, COUNTS)
def test_more_that_failed_or_is_missing_never_makes_an_outcome_better(
    asked: Criterion, seen: Measurement, before: Measurement | None, failed: int, missing: int
) -> None:
    worse = seen.model_copy(update={"failed": seen.failed + failed, "missing": seen.missing + missing})
    assert find(asked, worse, before, "").outcome >= find(asked, seen, before, "").outcome


@QUICK
@given(criteria(), measurements(), BASELINES, st.integers(1, 5))
def test_fewer_samples_never_make_an_outcome_better_as_long_as_there_are_any(
    asked: Criterion, seen: Measurement, before: Measurement | None, left: int
) -> None:
    seen = seen.model_copy(update={"samples": left + seen.samples})
    worse = seen.model_copy(update={"samples": left})
    assert find(asked, worse, before, "").outcome >= find(asked, seen, before, "").outcome


@QUICK
@given(criteria(), measurements(), BASELINES, st.floats(0, 50))
def test_a_worse_value_never_makes_an_outcome_better(
    asked: Criterion, seen: Measurement, before: Measurement | None, by: float
) -> None:
    value = seen.value or 0.0
    seen = seen.model_copy(update={"value": value})
    upper = asked.model_copy(update={"at_least": None})
    worse = seen.model_copy(update={"value": value + by})
    assert find(upper, worse, before, "").outcome >= find(upper, seen, before, "").outcome
    mirrored = asked.model_copy(update={"at_most": None, "at_least": asked.at_most or 0.0, "baseline": None})
    lower = seen.model_copy(update={"value": value - by})
    assert find(mirrored, lower, None, "").outcome >= find(mirrored, seen, None, "").outcome


@QUICK
@given(st.data())
def test_one_worse_outcome_never_makes_the_action_better_nor_lets_a_critical_unknown_proceed(
    data: st.DataObject,
) -> None:
    first = data.draw(criteria(METRICS[0], critical=(True,)))
    asked = (first, *(data.draw(criteria(metric)) for metric in METRICS[1:]))
    found = [data.draw(measurements(metric)) for metric in METRICS]
    changed = data.draw(st.integers(0, 2))
    worse = list(found)
    worse[changed] = data.draw(measurements(METRICS[changed]))
    before, after = judged_run(plan_of(*asked), found, {}), judged_run(plan_of(*asked), worse, {})
    if after.criteria[changed].outcome < before.criteria[changed].outcome:
        before, after = after, before
    assert ACTIONS.index(after.action) >= ACTIONS.index(before.action)
    for result in (before, after):
        deciding = next(each for each in result.criteria if each.id == result.deciding)
        proceeds = result.action == "PROCEED_TO_PRODUCTION"
        assert proceeds == (deciding.outcome is Outcome.PASS)
        assert not proceeds or all(each.outcome is Outcome.PASS for each in result.criteria if each.critical)
        assert (result.action == "ROLLBACK") == any(
            each.critical and each.outcome is Outcome.FAIL for each in result.criteria
        )


@QUICK
@given(st.data())
def test_losing_all_evidence_of_a_critical_criterion_never_proceeds(data: st.DataObject) -> None:
    asked = (data.draw(criteria(METRICS[0], critical=(True,))), data.draw(criteria(METRICS[1])))
    found = [data.draw(measurements(METRICS[1]))]
    assert judged_run(plan_of(*asked), found, {}).action != "PROCEED_TO_PRODUCTION"
