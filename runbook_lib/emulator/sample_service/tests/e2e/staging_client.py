"""Speak to the staged service as its users do: login, connect, chat; and check an answer's five events."""

# ruff: noqa: PT009 (these files are run by plain `python` too, which explains no bare assert)

from __future__ import annotations

import asyncio
import base64
import json
import os
import unittest
import uuid
from dataclasses import dataclass, field

import httpx
from websockets.asyncio.client import ClientConnection, connect

FIVE_EVENTS = ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"]
LAST_EVENTS = {"agent_completed", "agent_error", "error"}
BASE_URL = os.environ.get("STAGING_BASE_URL", "").rstrip("/")
WS_URL = os.environ.get("STAGING_WS_URL") or BASE_URL.replace("http", "ws", 1) + "/ws"
TIMEOUT_S = float(os.environ.get("STAGING_TIMEOUT_S", "70"))
RUN_ID = os.environ.get("RUNBOOK_RUN_ID", "")
USER_AGENT = f"runbook/{RUN_ID}" if RUN_ID else "staging-e2e"


@unittest.skipUnless(BASE_URL, "STAGING_BASE_URL is not set: there is no staging to test")
class StagingTestCase(unittest.IsolatedAsyncioTestCase):
    """A test that needs the staged service."""

    async def asyncSetUp(self) -> None:
        """Open one HTTP client for the test."""
        self.http = await self.enterAsyncContext(
            httpx.AsyncClient(base_url=BASE_URL, timeout=TIMEOUT_S, headers={"User-Agent": USER_AGENT})
        )

    async def login(self, user: str | None = None) -> Login:
        """Log a test account in, a new one unless named."""
        user = user or f"e2e-{uuid.uuid4().hex[:12]}@example.test"
        answer = await self.http.post("/auth/login", json={"user": user})
        self.assertEqual(answer.status_code, 200, f"login of {user} answered {answer.text}")
        body = answer.json()
        return Login(user_id=body["user_id"], token=body["access_token"])

    async def connected(self, login: Login) -> Conversation:
        """Open a WebSocket for the rest of the test and wait for its greeting."""
        socket = await self.enterAsyncContext(open_socket(subprotocols=login.subprotocols))
        conversation = Conversation(socket=socket)
        conversation.ready = await conversation.next_event()
        return conversation

    def assert_five_events(self, events: list[dict], content: str) -> None:
        """Check the contract of one answer: five events in order, one run, the user's own words in it."""
        self.assertEqual([event["type"] for event in events], FIVE_EVENTS)
        self.assertEqual([event["sequence"] for event in events], [1, 2, 3, 4, 5])
        self.assertEqual(len({event["run_id"] for event in events}), 1, "one answer has one run id")
        self.assertEqual(len({event["message_id"] for event in events}), 5, "message ids are unique")
        self.assertIn(content, events[-1]["data"]["response"])


@dataclass(frozen=True, kw_only=True)
class Login:
    """Who we are, and what proves it."""

    user_id: str
    token: str

    @property
    def subprotocols(self) -> list[str]:
        """The token in the form that browsers can send it."""
        return token_subprotocols(self.token)


def token_subprotocols(token: str) -> list[str]:
    """Return the two subprotocols that carry a token."""
    return ["jwt-auth", "jwt." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")]


def open_socket(**options: object) -> connect:
    """Return a connection to open, to the staged service."""
    return connect(
        WS_URL, open_timeout=TIMEOUT_S, user_agent_header=USER_AGENT, compression=None, proxy=None, **options
    )


@dataclass(kw_only=True)
class Conversation:
    """One open WebSocket."""

    socket: ClientConnection
    ready: dict = field(default_factory=dict)

    async def ask(self, content: str, *, agent: str = "triage", thread_id: str | None = None) -> list[dict]:
        """Send a chat and return every event of its answer."""
        data = {"content": content, "agent": agent, "thread_id": thread_id}
        await self.socket.send(json.dumps({"type": "chat_message", "data": data}))
        events = [await self.next_event()]
        while events[-1]["type"] not in LAST_EVENTS:
            events.append(await self.next_event())
        return events

    async def next_event(self) -> dict:
        """Return the next event, or fail after the time limit."""
        async with asyncio.timeout(TIMEOUT_S):
            return json.loads(await self.socket.recv())
