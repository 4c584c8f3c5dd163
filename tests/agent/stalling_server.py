"""Serve chats, stand still now and then, and write when each answer was sent (monotonic) and to what.

Run as a process, so that only it stands still: `python tests/agent/stalling_server.py`. Its URL comes first.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from aiohttp import web
from scripted_service import ScriptedService, answer, greet

EVERY_S, STALL_S = 2.0, 1.0


def tell(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def talk(socket: web.WebSocketResponse) -> None:
    """Answer each message, and note it."""
    await greet(socket)
    async for message in socket:
        content = json.loads(message.data)["data"]["content"]
        await answer(socket, content)
        tell(f"{time.monotonic():.6f} {content}")


async def main() -> None:
    """Serve until somebody ends it."""
    async with ScriptedService(talk=talk).serving() as service:
        tell(service.url)
        while True:
            await asyncio.sleep(EVERY_S - STALL_S)
            time.sleep(STALL_S)


if __name__ == "__main__":
    asyncio.run(main())
