"""Repeat what is safe to repeat, after growing and random pauses, a few times and up to a deadline."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import stamina

from runbook_lib.errors import CloudError, CloudUnavailable, Conflict, QuotaExceeded

T = TypeVar("T")
_log = logging.getLogger(__name__)
logging.getLogger("stamina").addHandler(logging.NullHandler())  # a retry is no line on stderr

_ATTEMPTS, _LONGEST_PAUSE_S = 4, 4.0
_QUOTA_ATTEMPTS, _QUOTA_PAUSE_S, _DEADLINE_S = 16, 6.0, 75.0  # quotas are counted by the minute


def repeat(question: Callable[[], T], kinds: tuple[type[CloudError], ...]) -> T:
    """Return the answer to a question that changes nothing; it is asked again on errors of these kinds."""
    tries = _Tries(kinds)
    for attempt in stamina.retry_context(
        on=tries.pause, attempts=_QUOTA_ATTEMPTS, timeout=_DEADLINE_S, wait_max=_LONGEST_PAUSE_S
    ):
        with attempt:
            return question()
    raise AssertionError("stamina returns or raises")


def repeat_unsettled(change: Callable[[], T]) -> T:
    """Make a change that first asks whether it is made; only what `unsettled` names is repeated."""
    tries = _Tries((CloudUnavailable, QuotaExceeded, Conflict))
    try:
        for attempt in stamina.retry_context(
            on=tries.pause_unsettled, attempts=_QUOTA_ATTEMPTS, timeout=_DEADLINE_S, wait_max=_LONGEST_PAUSE_S
        ):
            with attempt:
                return change()
    except Unsettled as unknown:
        raise unknown.error from unknown.error.__cause__
    raise AssertionError("stamina returns or raises")


@contextmanager
def unsettled() -> Iterator[None]:
    """Mark the call after whose failure nobody knows, without asking, whether the change was made."""
    try:
        yield
    except (CloudUnavailable, QuotaExceeded, Conflict) as error:
        raise Unsettled(error) from error


class Unsettled(Exception):
    """A change of which nobody knows whether it was made."""

    def __init__(self, error: CloudError) -> None:
        self.error = error
        super().__init__(str(error))


class _Tries:
    """Counts the failures of one call; a used-up quota is waited for longer, and says so."""

    def __init__(self, kinds: tuple[type[CloudError], ...]) -> None:
        self._kinds = kinds
        self._failures = 0

    def pause(self, error: Exception) -> bool | float:
        """Return whether to try again or, for a quota, after how many seconds."""
        if not isinstance(error, self._kinds):
            return False
        if isinstance(error, QuotaExceeded):
            _log.warning(
                "%s on %s: the quota is used up: waiting %.0f s", error.call, error.resource, _QUOTA_PAUSE_S
            )
            return _QUOTA_PAUSE_S
        self._failures += 1
        return self._failures < _ATTEMPTS

    def pause_unsettled(self, error: Exception) -> bool | float:
        """Return the same for the error that `unsettled` has wrapped."""
        return isinstance(error, Unsettled) and self.pause(error.error)
