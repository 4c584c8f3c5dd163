"""Looks at every revision at a steady period and lets it end or start instances."""

import asyncio

from .state import RunState

PERIOD_S = 0.5
"""Cloud Run's own period is not documented; this one is short against every time in `Patience`."""


class Autoscaler:
    """The clock behind idle times and minimum instances; requests start instances by themselves."""

    def __init__(self, state: RunState) -> None:
        self._state = state

    async def run(self) -> None:
        """Tidy until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            for runtime in self._state.runtimes():
                runtime.tidy()
