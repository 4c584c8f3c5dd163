"""Say who works on a service, since when and until when, in one line that the service itself can keep."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import AwareDatetime, Field, ValidationError

from runbook_lib.evidence import Record

SKEW = timedelta(seconds=60)
"""How far the clocks of two machines may be apart."""


class Lease(Record):
    """The right of one run to change a service, for a while.

    Attributes:
        run: The run's id.
        host: The machine on which it goes on.
        since: When the run took it first.
        until: When it ends unless it is renewed.
    """

    run: str = Field(min_length=1, max_length=200)
    host: str = Field(max_length=200)
    since: AwareDatetime
    until: AwareDatetime

    def text(self) -> str:
        """Return it as the service keeps it."""
        return self.model_dump_json()

    def is_over(self, now: datetime) -> bool:
        """Say whether it has ended, whichever of the two clocks is ahead."""
        return now > self.until + SKEW


def read_lease(text: str) -> Lease | None:
    """Return the lease in what the service keeps, or None where that is none."""
    try:
        return Lease.model_validate_json(text)
    except ValidationError:
        return None
