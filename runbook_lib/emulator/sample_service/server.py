"""Listen until SIGTERM or SIGINT, then close gracefully."""

from __future__ import annotations

import asyncio
import contextlib
import signal

from aiohttp import web

from . import logs
from .app import build_app
from .service import Service

GRACE_S = 1.0  # how long open requests may finish after SIGTERM


async def serve(service: Service) -> None:
    """Serve until told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if service.defects.start_delay_s:
        logs.info("waiting", delay_s=service.defects.start_delay_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), service.defects.start_delay_s)
    if not stop.is_set():
        await _listen(service, stop)
    logs.info("stopped", uptime_s=round(service.uptime_s, 3))


async def _listen(service: Service, stop: asyncio.Event) -> None:
    runner = web.AppRunner(build_app(service), access_log=None, shutdown_timeout=GRACE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, service.settings.bind, service.settings.port).start()
        host, port = runner.addresses[0][:2]
        logs.info("listening", host=host, port=port, revision=service.settings.revision)
        await stop.wait()
        logs.info("stopping", sessions=service.sessions.connected)
    finally:
        await runner.cleanup()
