"""Keep how long containers of a service took to start, in this run and in earlier ones; judges nothing."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from runbook_lib.evidence import Record


class Start(Record):
    """One start of a container, as Cloud Monitoring recorded it.

    Attributes:
        at: When it was recorded (UTC).
        took_s: Seconds until the container was ready; the mean where one point counts several starts.
    """

    at: datetime
    revision: str
    took_s: float = Field(gt=0, allow_inf_nan=False)


class Starts(Record):
    """What is known of a service's starts, each once, the oldest first.

    Attributes:
        service: Its full name, beginning with its cloud: only starts of the same service compare.
        candidate: Starts of this run's candidate.
        baseline: Starts of this run's baseline.
        earlier: Starts of the baselines of earlier runs.
    """

    service: str
    candidate: tuple[Start, ...] = ()
    baseline: tuple[Start, ...] = ()
    earlier: tuple[Start, ...] = ()
