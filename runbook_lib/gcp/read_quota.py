"""Keep within a number of requests a minute, and count what that costs."""

from __future__ import annotations

import logging
from collections import deque

from runbook_lib.clock import Clock

_MINUTE_S = 60.0
_log = logging.getLogger(__name__)


class ReadQuota:
    """Lets a request pass as soon as it fits into the last minute.

    Others may use the same project's quota, so the API can still refuse: that is for the caller to retry.

    Attributes:
        requests: Requests let through so far.
        waited_s: How long they were held back altogether.
    """

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self.requests = 0
        self.waited_s = 0.0
        self._clock = clock
        self._per_minute = per_minute
        self._recent: deque[float] = deque(maxlen=per_minute)

    def take(self) -> None:
        """Wait until one more request is within the quota, and count it."""
        full = len(self._recent) == self._per_minute
        wait_s = self._recent[0] + _MINUTE_S - self._clock.monotonic_s() if full else 0.0
        if wait_s > 0:
            self.held_back(wait_s)
            self._clock.sleep(wait_s)
        self._recent.append(self._clock.monotonic_s())
        self.requests += 1

    def held_back(self, wait_s: float) -> None:
        """Say and count that there is a wait of so many seconds."""
        _log.warning("the read quota of Cloud Logging is used up: waiting %.0f s", wait_s)
        self.waited_s += wait_s
