"""The engines that carry sessions: each passes this folder's tests of client, handshake and hostility."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from runbook_lib.agent.client import AgentClient
from runbook_lib.agent.fast import FastEngine
from runbook_lib.agent.fast.wire import LoopWire
from runbook_lib.plan import Probes
from runbook_lib.ports import Agents

Engine = Callable[[Probes, str, Mapping[str, str]], Agents]
ENGINES: dict[str, Engine] = {
    "websockets": AgentClient,
    "fast": partial(AgentClient, engine=FastEngine()),
    "fast on the loop's transports": partial(AgentClient, engine=FastEngine(LoopWire)),
}
