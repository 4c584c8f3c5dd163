"""Wait for something to come true, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def eventually(read: Callable[[], T], holds: Callable[[T], Any] = bool, timeout_s: float = 20.0) -> T:
    """Return what `read` returns once it holds; fail with the last value when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = read()
        if holds(value):
            return value
        assert time.monotonic() < deadline, f"did not come true within {timeout_s} s; last seen: {value!r}"
        time.sleep(0.02)
