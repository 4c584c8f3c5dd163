"""Take, keep and give back the right to change a service; whoever else wants it is told who has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread

from runbook_lib.clock import Clock
from runbook_lib.errors import CloudError, NotFound, RunRefused
from runbook_lib.lease import Lease, read_lease
from runbook_lib.ports.cloud_run import CloudRun

LIFE = timedelta(minutes=10)
_RENEWAL = LIFE / 2
_LOOK_S = 30.0
_TRIES = 5
_UNREADABLE = "{} has a lease that cannot be read: remove its annotation validation-runbook/lease"


class ServiceLease:
    """The lease of one run on one service, which keeps it, so that every machine sees it.

    Args:
        cloud: The service.
        service: Its name.
        run_id: Whose lease it is.
        host: The machine on which the run goes on.
    """

    def __init__(self, cloud: CloudRun, service: str, run_id: str, host: str, clock: Clock) -> None:
        self._cloud, self._service, self._clock = cloud, service, clock
        self._run_id, self._host = run_id, host
        self._mine: Lease | None = None
        self._taking = Lock()

    def hold(self, from_other_hosts: bool = False) -> None:
        """Take the lease, or renew it when half of its time is over.

        Args:
            from_other_hosts: Take this run's own lease also from another machine, which may be alive.

        Raises:
            RunRefused: If another run has it.
            NotFound: If there is no such service.
        """
        with self._taking:
            if self._mine and _is_fresh(self._mine, self._clock.now()):
                return
            for _ in range(_TRIES):
                if self._swap(from_other_hosts):
                    return
        raise RunRefused(f"{self._service} changes hands all the time: see who validates it, then try again")

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Hold the lease as long as the block lasts; a service that does not exist yet has none."""
        with suppress(NotFound):
            self.hold()
        ended = Event()
        keeper = Thread(target=self._keep, args=(ended,), name="lease", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()

    def release(self) -> None:
        """Give the lease back, if it is ours."""
        text = self._cloud.lease()
        found = read_lease(text)
        if found and (found.run, found.host) == (self._run_id, self._host):
            self._cloud.swap_lease(text, "")
        self._mine = None

    def told(self) -> str:
        """Return in a sentence who has the service now, whoever asks."""
        text = self._cloud.lease()
        found = read_lease(text)
        if not text:
            return f"nobody is validating {self._service}: it has no lease"
        if found is None:
            return _UNREADABLE.format(self._service)
        ours = " (this run)" if found.run == self._run_id else ""
        if found.is_over(self._clock.now()):
            return (
                f"nobody is validating {self._service}: the lease of run {found.run}{ours} on {found.host} "
                f"was over at {_time(found.until)}"
            )
        return f"{_holder(self._service, found, ours)}; the lease ends at {_time(found.until)}"

    def _keep(self, ended: Event) -> None:
        while not ended.wait(_LOOK_S):
            with suppress(CloudError, RunRefused):  # the next act on the service tells it
                if self._mine:
                    self.hold()

    def _swap(self, from_other_hosts: bool) -> bool:
        text, now = self._cloud.lease(), self._clock.now()
        found = self._read(text)
        ours = found and found.run == self._run_id and (from_other_hosts or found.host == self._host)
        if found and not ours and not found.is_over(now):
            raise RunRefused(_refusal(self._service, found))
        if found and ours and found.host == self._host and _is_fresh(found, now):
            self._mine = found
            return True
        since = found.since if found and ours else now
        mine = Lease(run=self._run_id, host=self._host, since=since, until=now + LIFE)
        if not self._cloud.swap_lease(text, mine.text()):
            return False
        self._mine = mine
        return True

    def _read(self, text: str) -> Lease | None:
        found = read_lease(text)
        if text and found is None:
            raise RunRefused(_UNREADABLE.format(self._service))
        return found


def _is_fresh(lease: Lease, now: datetime) -> bool:
    """Say whether it was renewed not long ago, by a wall clock that may have jumped either way."""
    return timedelta(0) < lease.until - now - _RENEWAL <= LIFE - _RENEWAL


def _refusal(service: str, found: Lease) -> str:
    return (
        f"{_holder(service, found)}: wait until that run ends or, if it was interrupted, "
        f"go on with it by runbook resume; its lease ends at {_time(found.until)}"
    )


def _holder(service: str, found: Lease, ours: str = "") -> str:
    since = f"{found.since:%Y-%m-%d %H:%M:%S} UTC"
    return f"{service} is being validated by run {found.run}{ours} on {found.host} since {since}"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M:%S} UTC"
