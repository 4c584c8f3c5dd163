"""Start the sample service as a container would; reads the environment, listens, ends on SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from . import logs
from .config import ConfigError, settings_from
from .defects import VARIANTS, defects_of


def main() -> int:
    """Return the exit code: 0 after SIGTERM, 1 when it could not start, 2 on bad usage."""
    parser = argparse.ArgumentParser(prog="sample_service", description=__doc__)
    parser.add_argument("--variant", choices=sorted(VARIANTS), default="healthy", help="which image to be")
    variant = parser.parse_args().variant
    logs.set_up()
    try:
        return _start(variant)
    except ConfigError as error:
        logs.critical(str(error))
        return 2
    except OSError as error:
        logs.critical(f"cannot listen: {error}")
        return 1


def _start(variant: str) -> int:
    settings, defects = settings_from(os.environ), defects_of(variant, os.environ)
    logs.info("starting", variant=variant, revision=settings.revision, pid=os.getpid())
    if defects.crash_at_start:
        logs.critical("agent registry: no execution context factory is registered, giving up")
        return 1
    if defects.error_line_at_start:
        logs.error("agent registry: prompt catalogue not readable, going on with the defaults")
    os.environ.setdefault("SSL_CERT_FILE", os.devnull)  # aiohttp would read them all, for nobody
    # Late, so that a crash and a usage error do not wait for the web framework.
    from .server import serve
    from .service import build

    asyncio.run(serve(build(settings, defects, os.environ)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
