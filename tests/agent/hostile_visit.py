"""Visit every act of the hostile server with one engine, and print what became of it as JSON.

Run as a process, so that its memory is its own: `python tests/agent/hostile_visit.py ENGINE '{"ACT": PORT}'`.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from engines import ENGINES
from scripted_service import WAYS, Way

from runbook_lib.errors import AgentError
from runbook_lib.plan import Probes
from runbook_lib.ports import Agents

CONNECT_S, ANSWER_S = 7.0, 2.0  # a busy machine needs seconds for a handshake
AT_ONCE = 6
GOES = {
    "websockets": ["chatted"],
    "fast": ["chatted", "visited"],
    "fast on the loop's transports": ["visited"],
}
"""Which ways each engine goes: none that is made of another one that it goes."""
PROBES = Probes(connect_timeout_s=CONNECT_S, answer_timeout_s=ANSWER_S)


async def _visit(agents: Agents, way: Way, url: str) -> dict[str, Any]:
    began = time.monotonic()
    try:
        answer = await way(agents, url)
        seen = {"outcome": answer.status, "detail": answer.detail}
    except AgentError as error:
        seen = {"outcome": type(error).__name__, "detail": str(error)}
    return {**seen, "took_s": time.monotonic() - began}


async def _visit_all(engine: str, ports: dict[str, int]) -> dict[str, Any]:
    agents, places = ENGINES[engine](PROBES, "runbook/hostile", {}), asyncio.Semaphore(AT_ONCE)

    async def one(way: str, port: int) -> dict[str, Any]:
        async with places:
            return await _visit(agents, WAYS[way], f"http://127.0.0.1:{port}")

    visits = {f"{act}, {way}": one(way, port) for act, port in ports.items() for way in GOES[engine]}
    seen = await asyncio.gather(*visits.values())
    return {"peak_mb": _peak_mb(), "acts": dict(zip(visits, seen, strict=True))}


def _peak_mb() -> float:
    """Return the most memory that this process ever held; getrusage would begin with its parent's."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


if __name__ == "__main__":
    json.dump(asyncio.run(_visit_all(sys.argv[1], json.loads(sys.argv[2]))), sys.stdout)
