"""Runs the emulator in this process and announces it in its state folder."""

import asyncio
import os
from pathlib import Path

from .catalogue import Catalogue, CatalogueError, load_catalogue
from .clock import format_rfc3339, system_now_ns
from .daemon import Daemon, Running
from .server import Emulator, Settings


class ServeError(Exception):
    """The emulator cannot serve with what it was given."""


def serve_until_stopped(daemon: Daemon, settings: Settings, catalogue: Path | None) -> None:
    """Serve until told to stop.

    Raises:
        ServeError: If the catalogue cannot be used or no port can be opened.
    """
    try:
        images = load_catalogue(catalogue)
        with daemon.sole():
            asyncio.run(_serve(daemon, settings, images))
    except (CatalogueError, OSError) as error:
        raise ServeError(str(error)) from error


async def _serve(daemon: Daemon, settings: Settings, images: Catalogue) -> None:
    emulator = Emulator(settings, images)
    async with emulator.running() as addresses:
        running = Running(
            pid=os.getpid(),
            grpc=addresses.grpc,
            http=addresses.http,
            started=format_rfc3339(system_now_ns()),
            log=str(daemon.log_file),
        )
        daemon.announce(running)
        print(f"emulator {running.pid} serves {running.grpc} (gRPC) and {running.http}", flush=True)
        reason = await emulator.until_stopped()
        print(f"emulator {running.pid} ends: {reason}", flush=True)
        daemon.withdraw()
