"""Serve variants of the sample service from this process, many at a time, each on a port of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from probed_service import CANDIDATE

from runbook_lib.emulator.sample_service.app import build_app
from runbook_lib.emulator.sample_service.config import settings_from
from runbook_lib.emulator.sample_service.defects import defects_of
from runbook_lib.emulator.sample_service.service import build


@asynccontextmanager
async def serving(variant: str, **environ: str) -> AsyncIterator[str]:
    """Serve one variant for a while; yields its URL."""
    given = {"K_REVISION": CANDIDATE, "ANSWER_S": "0.08", **environ}
    runner = web.AppRunner(
        build_app(build(settings_from(given), defects_of(variant, given), given)), shutdown_timeout=0.1
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
