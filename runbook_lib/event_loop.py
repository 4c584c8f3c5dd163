"""Make event loops: uvloop's where it is installed. What has transports of the loop takes 7 % less on it."""

from __future__ import annotations

import asyncio


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop; never rely on its own clock, which may be exact to a millisecond only."""
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
