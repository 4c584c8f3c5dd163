"""One run at a time changes a service: the service itself says which, to every machine."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cloud import Staging, emulator, staging
from google.cloud import run_v2

from runbook_lib.errors import NotFound, RunRefused
from runbook_lib.lease import Lease, read_lease
from runbook_lib.leasing import LIFE, ServiceLease

__all__ = ["emulator", "staging"]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class StoppedClock:
    """A wall clock that a test sets."""

    time: datetime = field(default=NOON)

    def now(self) -> datetime:
        return self.time

    def monotonic_s(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"a lease is refused or taken at once, not after {seconds} s")


def lease_of(staging: Staging, run: str, clock: StoppedClock, host: str = "laptop") -> ServiceLease:
    """Return a run's lease on the test's service."""
    return ServiceLease(staging.cloud.run, staging.service, run, host, clock)


def refusal(lease: ServiceLease) -> str:
    """Return what somebody is told who does not get the lease."""
    with pytest.raises(RunRefused) as refused:
        lease.hold()
    return str(refused.value)


def test_the_second_of_two_runs_is_told_who_has_the_service_since_when_and_until_when(
    staging: Staging,
) -> None:
    staging.create()
    clock = StoppedClock()
    lease_of(staging, "run-1", clock).hold()
    clock.time += timedelta(minutes=3)

    assert refusal(lease_of(staging, "run-2", clock, host="ci")) == (
        f"{staging.service} is being validated by run run-1 on laptop since 2026-03-01 12:00:00 UTC: "
        "wait until that run ends or, if it was interrupted, go on with it by runbook resume; "
        "its lease ends at 12:10:00 UTC"
    )


def test_a_lease_makes_no_revision_and_moves_no_traffic(staging: Staging) -> None:
    first = staging.create()
    lease = lease_of(staging, "run-1", StoppedClock())
    lease.hold()
    kept = read_lease(staging.cloud.run.lease())
    lease.release()

    assert kept == Lease(run="run-1", host="laptop", since=NOON, until=NOON + LIFE)
    assert staging.cloud.run.lease() == ""
    assert staging.cloud.run.service().latest_created == first
    assert staging.traffic() == {(first, ""): 100}


def test_a_lease_given_back_is_the_next_ones_and_nobody_gives_back_what_is_not_theirs(
    staging: Staging,
) -> None:
    staging.create()
    clock = StoppedClock()
    first, second = (lease_of(staging, name, clock) for name in ("run-1", "run-2"))
    first.hold()
    second.release()
    assert "run run-1 on laptop" in refusal(second)
    first.release()
    second.hold()
    assert "run run-2 on laptop" in refusal(lease_of(staging, "run-1", clock))


def test_a_run_that_died_is_gone_on_with_on_its_machine_at_once_and_elsewhere_when_its_lease_is_over(
    staging: Staging,
) -> None:
    staging.create()
    clock = StoppedClock()
    lease_of(staging, "run-1", clock).hold()
    lease_of(staging, "run-1", clock).hold()

    assert "run run-1 on laptop" in refusal(lease_of(staging, "run-1", clock, host="ci"))
    clock.time += LIFE + timedelta(seconds=60)
    assert "run run-1 on laptop" in refusal(lease_of(staging, "run-2", clock, host="ci"))  # clocks may differ
    clock.time += timedelta(seconds=1)
    lease_of(staging, "run-2", clock, host="ci").hold()


def test_a_rollback_takes_its_own_runs_lease_from_a_machine_that_may_have_died(staging: Staging) -> None:
    staging.create()
    clock = StoppedClock()
    lease_of(staging, "run-1", clock).hold()
    lease_of(staging, "run-1", clock, host="ci").hold(from_other_hosts=True)

    kept = read_lease(staging.cloud.run.lease())
    assert kept is not None
    assert (kept.host, kept.since) == ("ci", NOON)


@pytest.mark.parametrize("minutes", [6, -6, 60 * 24 * 29])
def test_a_lease_is_renewed_when_half_of_it_is_over_or_the_clock_has_jumped(
    staging: Staging, minutes: int
) -> None:
    staging.create()
    clock = StoppedClock()
    lease = lease_of(staging, "run-1", clock)
    lease.hold()
    clock.time += timedelta(minutes=4)
    lease.hold()
    kept = read_lease(staging.cloud.run.lease())
    assert kept is not None
    assert kept.until == NOON + LIFE  # nothing was written
    clock.time = NOON + timedelta(minutes=minutes)
    lease.hold()

    kept = read_lease(staging.cloud.run.lease())
    assert kept is not None
    assert (kept.since, kept.until) == (NOON, clock.time + LIFE)


def test_whoever_slept_through_the_end_of_a_lease_learns_that_the_service_is_somebody_elses(
    staging: Staging,
) -> None:
    staging.create()
    clock = StoppedClock()
    sleeper = lease_of(staging, "run-1", clock)
    sleeper.hold()
    clock.time += timedelta(hours=9)
    lease_of(staging, "run-2", clock, host="ci").hold()

    assert "run run-2 on ci since 2026-03-01 21:00:00 UTC" in refusal(sleeper)


def test_of_runs_that_take_it_at_the_same_moment_one_gets_it(staging: Staging) -> None:
    staging.create()
    clock, gate = StoppedClock(), threading.Barrier(6)
    got: list[str] = []

    def take(name: str) -> None:
        lease = lease_of(staging, name, clock)
        gate.wait()
        try:
            lease.hold()
        except RunRefused:
            return
        got.append(name)

    runs = [threading.Thread(target=take, args=(f"run-{number}",)) for number in range(6)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    kept = read_lease(staging.cloud.run.lease())
    assert kept is not None
    assert got == [kept.run]


def test_a_lease_that_is_none_is_refused_with_what_to_remove(staging: Staging) -> None:
    staging.create()
    service = run_v2.Service(name=staging.name, annotations={"validation-runbook/lease": "{}"})
    staging.client.update_service(service=service, update_mask="annotations").result(timeout=60)

    assert refusal(lease_of(staging, "run-1", StoppedClock())) == (
        f"{staging.service} has a lease that cannot be read: remove its annotation validation-runbook/lease"
    )


def test_a_service_that_is_not_there_has_no_lease(staging: Staging) -> None:
    lease = lease_of(staging, "run-1", StoppedClock())
    with pytest.raises(NotFound):
        lease.hold()
    with lease.kept():
        staging.create()


def test_everybody_is_told_who_validates_the_service_since_when_and_until_when(staging: Staging) -> None:
    staging.create()
    clock = StoppedClock()
    mine, theirs = lease_of(staging, "run-1", clock), lease_of(staging, "run-2", clock)
    assert mine.told() == f"nobody is validating {staging.service}: it has no lease"
    mine.hold()
    holder = f"{staging.service} is being validated by run run-1{{}} on laptop since 2026-03-01 12:00:00 UTC"
    assert mine.told() == f"{holder.format(' (this run)')}; the lease ends at 12:10:00 UTC"
    assert theirs.told() == f"{holder.format('')}; the lease ends at 12:10:00 UTC"
    clock.time += timedelta(minutes=12)
    assert theirs.told() == (
        f"nobody is validating {staging.service}: the lease of run run-1 on laptop was over at 12:10:00 UTC"
    )
    staging.cloud.run.swap_lease(staging.cloud.run.lease(), "not a lease")
    assert theirs.told() == (
        f"{staging.service} has a lease that cannot be read: remove its annotation validation-runbook/lease"
    )
