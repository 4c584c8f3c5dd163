"""A criterion on memory growth inside a whole judgement: by the session, by the minute, unseen."""

from __future__ import annotations

import math
import re

import pytest
from measured import criterion, plan_of

from runbook_lib.evidence.memory import MemorySample, MemoryWatch
from runbook_lib.judge import Seen, judge
from runbook_lib.judge.by_leak import series_of, spec_of
from runbook_lib.judge.leak import LeakSpec, judge_leak
from runbook_lib.verdict import CriterionResult, Outcome

SECONDS, PER_S = 120, 20
SESSION = "memory.leak_kib_per_session"


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


def judged(seen: MemoryWatch | None, metric: str = SESSION, at_most: float = 5) -> CriterionResult:
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


def test_a_result_says_what_a_reader_needs_to_check_it() -> None:
    result = judged(watch(20))
    assert result.effect == result.observed
    assert (result.alpha, result.pass_alpha, result.wrong_at_most) == (0.01, 0.01, 0.01)
    assert result.samples == SECONDS
    assert result.bound == "≤ 5 above the baseline's"
    assert result.reason.startswith("memory grows 20 KiB/session faster than the baseline's (")
    assert result.reason.endswith("), above 5")
    assert result.would_change == "it passes within 5 KiB/session for sure"
    assert result.evidence == ("evidence/memory.json", "evidence/series.parquet")
    assert judged(watch(0)).would_change == "it fails above 5 KiB/session for sure"


def test_the_interval_is_that_of_one_look_at_the_plans_alpha() -> None:
    seen = watch(20)
    once = judge_leak(
        spec_of(criterion(SESSION, at_most=5)), series_of(LeakSpec(per="session", at_most=5), seen),
        looks=1, alpha=0.01,
    )  # fmt: skip
    assert judged(seen).interval == once.interval


def test_what_is_open_says_how_much_more_would_settle_it() -> None:
    wavy = MemoryWatch(
        load_s=SECONDS,
        samples={
            role: tuple(
                MemorySample(at_s=at, sessions=PER_S * at, mib=60 + size * math.sin(at / 9))
                for at in range(SECONDS)
            )
            for role, size in (("candidate", 9.0), ("baseline", 0.0))
        },
    )
    result = judged(wavy)
    assert (result.outcome, result.wrong_at_most) == (Outcome.INCONCLUSIVE, None)
    assert re.fullmatch(r"about [1-9][0-9,]* more sessions would settle it", result.would_change)
    assert result.would_change.replace(",", "") in result.reason.replace(",", "")
    on_it = judged(wavy, at_most=result.observed or 0)
    assert (on_it.outcome, on_it.would_change) == (Outcome.INCONCLUSIVE, "a longer look is needed")
    assert on_it.reason.endswith(" would show")


def test_what_was_not_seen_says_why() -> None:
    result = judged(None)
    assert (result.samples, result.observed, result.effect, result.interval) == (0, None, None, None)
    assert result.reason == f"not observed: the step metrics left no evidence of {SESSION}"
    assert result.would_change == "the step metrics has to come to its end"
    assert result.wrong_at_most is None


def test_memory_is_laid_over_minutes_or_over_the_sessions_of_the_load() -> None:
    seen = MemoryWatch(
        load_s=60,
        samples={
            "candidate": tuple(
                MemorySample(at_s=at, mib=at, sessions=at) for at in (0, 30, 60, 90)
            ),
            "baseline": (MemorySample(at_s=-1, mib=1, sessions=0), MemorySample(at_s=1, mib=1, sessions=1)),
        },
    )  # fmt: skip
    by_minute, by_session = (series_of(LeakSpec(per=per, at_most=1), seen) for per in ("minute", "session"))
    assert [point.at for point in by_minute.candidate] == [0, 0.5, 1, 1.5]
    assert [point.at for point in by_session.candidate] == [0, 30, 60]
    assert [point.at for point in by_session.baseline] == [1]


def test_a_criterion_on_anything_else_is_not_judged_by_a_leak() -> None:
    with pytest.raises(ValueError, match=r"^one is not judged by a leak$"):
        spec_of(criterion("memory.growth_mib", at_most=1))
