"""A criterion on memory growth inside a whole judgement: by the session, by the minute, unseen."""

from __future__ import annotations

import pytest
from measured import criterion, plan_of

from runbook_lib.judge import Seen, judge
from runbook_lib.memory import MemorySample, MemoryWatch
from runbook_lib.verdict import CriterionResult, Outcome

SECONDS, PER_S = 120, 20


def watch(kib_per_session: float, before_s: int = 5) -> MemoryWatch:
    """Return two minutes of load, 20 sessions a second, on a leaking candidate beside a sound baseline."""

    def samples(leak_kib: float) -> tuple[MemorySample, ...]:
        return tuple(
            MemorySample(
                at_s=at, sessions=PER_S * max(0, at),
                mib=60 + leak_kib / 1024 * PER_S * max(0, at) + 0.2 * (at % 3),
            )
            for at in range(-before_s, SECONDS)
        )  # fmt: skip

    return MemoryWatch(
        load_s=SECONDS, samples={"candidate": samples(kib_per_session), "baseline": samples(0)}
    )


def judged(
    seen: MemoryWatch | None, metric: str = "memory.leak_kib_per_session", at_most: float = 5
) -> CriterionResult:
    plan = plan_of(criterion(metric, at_most=at_most))
    return judge(plan, Seen(memory=seen)).criteria[0]


@pytest.mark.parametrize(
    ("leak_kib", "outcome"), [(20, Outcome.FAIL), (5.5, Outcome.FAIL), (5, Outcome.PASS), (0, Outcome.PASS)]
)
def test_a_leak_by_the_session_fails_above_its_bound_and_passes_within_it(
    leak_kib: float, outcome: Outcome
) -> None:
    result = judged(watch(leak_kib))
    assert result.outcome is outcome
    assert result.observed == pytest.approx(leak_kib, abs=1.5)
    assert result.interval is not None
    assert result.interval[0] <= leak_kib <= result.interval[1]


def test_the_same_leak_by_the_minute_has_the_unit_of_its_metric() -> None:
    result = judged(watch(20), "memory.leak_mib_per_minute", at_most=1)
    assert (result.outcome, result.unit) == (Outcome.FAIL, "MiB/min")
    assert result.observed == pytest.approx(20 / 1024 * PER_S * 60, rel=0.1)


def test_what_came_before_the_load_is_no_part_of_a_leak_by_the_session() -> None:
    assert judged(watch(20, before_s=60)).observed == pytest.approx(20, abs=1.5)


def test_without_memory_nothing_passes() -> None:
    assert judged(None).outcome is Outcome.ERROR
    assert judged(MemoryWatch(load_s=SECONDS)).outcome is Outcome.INCONCLUSIVE
