"""The sample service as a careless team might write it: it prints and answers what nobody should see.

Usage: leaky_service.py PLANTS.json, which maps a place to the token that is leaked there.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.emulator.sample_service import logs
from runbook_lib.emulator.sample_service.agents import Agent, AgentRegistry, UserExecutionContext
from runbook_lib.emulator.sample_service.config import settings_from
from runbook_lib.emulator.sample_service.defects import defects_of
from runbook_lib.emulator.sample_service.server import serve
from runbook_lib.emulator.sample_service.service import build

PLANTS_FILE = Path(sys.argv[1])
PLANTS: dict[str, str] = json.loads(PLANTS_FILE.read_text())


@dataclass(frozen=True, kw_only=True)
class LeakyAgent(Agent):
    """Says a token with every answer."""

    def respond(self, content: str) -> str:
        """Return the answer, and leave a mark that it was given."""
        PLANTS_FILE.with_name("answered").touch()
        return f"{super().respond(content)} by {PLANTS['agent reply']}"


class LeakyRegistry(AgentRegistry):
    """Starts leaky agents."""

    def start(self, kind: str, context: UserExecutionContext) -> Agent:
        """Return one."""
        plain = super().start(kind, context)
        return LeakyAgent(kind=plain.kind, tool=plain.tool, context=plain.context)


def main() -> None:
    """Print the plants in every manner, then serve."""
    logs.set_up()
    sys.stdout.write(f"connecting with {PLANTS['log line']}\n")
    logs.error(f"GET /next?page=2&token={PLANTS['URL query']} HTTP/1.1 failed")
    logs.warning(f"upstream refused Authorization: Bearer {PLANTS['header']}")
    try:
        raise RuntimeError(f"cannot refresh {PLANTS['exception']}")
    except RuntimeError:
        logs.failure("refresh failed")
    service = build(settings_from(os.environ), defects_of("healthy", os.environ), os.environ)
    service.registry = LeakyRegistry(service.defects)
    asyncio.run(serve(service))


if __name__ == "__main__":
    main()
