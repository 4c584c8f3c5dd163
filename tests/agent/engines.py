"""The engines that carry sessions: each passes `test_agent_client.py` and `test_agent_hostile.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runbook_lib.agent.client import AgentClient
from runbook_lib.plan import Probes
from runbook_lib.ports import Agents

Engine = Callable[[Probes, str, Mapping[str, str]], Agents]
ENGINES: dict[str, Engine] = {"websockets": AgentClient}
