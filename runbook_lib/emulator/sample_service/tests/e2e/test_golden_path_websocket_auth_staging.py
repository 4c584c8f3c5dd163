"""Check the golden path on staging, from login to the AI answer, alone and among other users."""

# ruff: noqa: PT009, PT027 (these files are run by plain `python` too, which explains no bare assert)

from __future__ import annotations

import asyncio
import json
import unittest
import uuid

from staging_client import Conversation, StagingTestCase, open_socket, token_subprotocols
from websockets.exceptions import InvalidStatus

USERS = 3
ROUNDS = 3


class WebSocketAuthGoldenPathStagingTests(StagingTestCase):
    """What a paying user does first, and what must hold when several do it together."""

    async def test_complete_golden_path_user_flow_staging(self) -> None:
        """A user logs in, connects and gets a complete answer to their own question."""
        login = await self.login()
        conversation = await self.connected(login)
        self.assertEqual(conversation.ready["type"], "connection_ready")
        self.assertEqual(conversation.ready["data"]["user_id"], login.user_id)
        self.assertEqual(conversation.socket.subprotocol, "jwt-auth")
        question = f"golden path {uuid.uuid4().hex}"
        events = await conversation.ask(question)
        self.assert_five_events(events, question)
        self.assertEqual({event["user_id"] for event in events}, {login.user_id})

    async def test_concurrent_user_websocket_connections_staging(self) -> None:
        """Users who are connected together have sessions of their own and never see each other's words."""
        logins = [await self.login() for _ in range(USERS)]
        conversations = await asyncio.gather(*(self.connected(login) for login in logins))
        sessions = [conversation.ready["data"]["session_id"] for conversation in conversations]
        self.assertEqual(len(set(sessions)), USERS, f"session ids are shared between users: {sessions}")
        markers = [f"marker-{uuid.uuid4().hex}" for _ in range(USERS)]
        heard = await asyncio.gather(
            *(self._talk(*pair) for pair in zip(conversations, markers, strict=True))
        )
        for login, marker, events in zip(logins, markers, heard, strict=True):
            self.assertEqual({event["user_id"] for event in events}, {login.user_id})
            foreign = [other for other in markers if other != marker and other in json.dumps(events)]
            self.assertEqual(foreign, [], "words of another user reached this one")

    async def _talk(self, conversation: Conversation, marker: str) -> list[dict]:
        heard = []
        for number in range(ROUNDS):
            question = f"question {number} {marker}"
            events = await conversation.ask(question)
            self.assert_five_events(events, question)
            heard += events
        return heard

    async def test_bad_tokens_are_rejected_staging(self) -> None:
        """Neither a forged token nor no token at all opens a WebSocket."""
        forged = (await self.login()).token[:-8] + "AAAAAAAA"
        for subprotocols in (token_subprotocols(forged), ["jwt-auth"], None):
            with self.assertRaises(InvalidStatus) as refused:
                async with open_socket(subprotocols=subprotocols):
                    pass
            self.assertEqual(refused.exception.response.status_code, 401)

    async def test_reconnecting_gives_a_new_session_staging(self) -> None:
        """A user who comes back is the same user in a new session."""
        login = await self.login()
        first = await self.connected(login)
        await first.socket.close()
        second = await self.connected(login)
        self.assertEqual(second.ready["data"]["user_id"], login.user_id)
        self.assertNotEqual(second.ready["data"]["session_id"], first.ready["data"]["session_id"])


if __name__ == "__main__":
    unittest.main()
