"""End a command in order, whichever way it is asked to end."""

from __future__ import annotations

import signal


def end_in_order() -> None:
    """Let a cancelled job (SIGTERM) and a closed terminal (SIGHUP) end as Ctrl-C does, wherever started."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
