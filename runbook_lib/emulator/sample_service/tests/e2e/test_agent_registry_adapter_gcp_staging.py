"""Check on staging that the factory starts every kind of agent, every time, in the session that asked."""

# ruff: noqa: PT009 (these files are run by plain `python` too, which explains no bare assert)

from __future__ import annotations

import asyncio
import unittest
import uuid

from staging_client import StagingTestCase

KINDS = ["triage", "data", "reporting"]
STARTS = 3


class AgentRegistryAdapterGCPStagingTests(StagingTestCase):
    """Agent execution through the registry; one user, so that only the factory is in question."""

    async def test_staging_agent_execution_full_flow(self) -> None:
        """Each kind of agent, started several times at once by one user, answers completely each time."""
        login = await self.login()
        await asyncio.gather(*(self._run(login, kind) for kind in KINDS for _ in range(STARTS)))

    async def test_each_agent_kind_starts_staging(self) -> None:
        """Each kind of agent starts on one connection, one after the other, as the kind asked for."""
        conversation = await self.connected(await self.login())
        for kind in KINDS:
            events = await conversation.ask(f"start {kind}", agent=kind)
            self.assertEqual(events[0]["type"], "agent_started", events[0])
            self.assertEqual(events[0]["data"], {"agent": kind})

    async def test_unknown_agent_is_refused_staging(self) -> None:
        """An agent that does not exist is refused with a reason, and the connection lives on."""
        conversation = await self.connected(await self.login())
        events = await conversation.ask("anybody there?", agent="no-such-agent")
        self.assertEqual([event["type"] for event in events], ["agent_error"])
        self.assertEqual(events[0]["data"]["code"], "unknown_agent")
        again = await conversation.ask("and now?")
        self.assertEqual(again[0]["type"], "agent_started")

    async def _run(self, login: object, kind: str) -> None:
        conversation = await self.connected(login)
        question = f"{kind} {uuid.uuid4().hex}"
        events = await conversation.ask(question, agent=kind)
        self.assert_five_events(events, question)
        self.assertEqual(events[0]["data"]["agent"], kind)
        own = conversation.ready["data"]["session_id"]
        self.assertEqual({event["session_id"] for event in events}, {own})


if __name__ == "__main__":
    unittest.main()
