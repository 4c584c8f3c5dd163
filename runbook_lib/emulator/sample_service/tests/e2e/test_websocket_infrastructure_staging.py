"""Check the WebSocket infrastructure on staging: event structure, subprotocols, and what bad frames do."""

# ruff: noqa: PT009 (these files are run by plain `python` too, which explains no bare assert)

from __future__ import annotations

import json
import unittest
import uuid
from datetime import datetime, timedelta

from staging_client import Conversation, StagingTestCase, open_socket


class WebSocketInfrastructureStagingTests(StagingTestCase):
    """The wire under the golden path."""

    async def test_events_carry_the_whole_structure_staging(self) -> None:
        """Each event of an answer has its ids, the session's address and a UTC time that never runs back."""
        conversation = await self.connected(await self.login())
        question, thread_id = f"structure {uuid.uuid4().hex}", f"thread-{uuid.uuid4().hex}"
        events = await conversation.ask(question, thread_id=thread_id)
        self.assert_five_events(events, question)
        self.assertEqual({event["thread_id"] for event in events}, {thread_id})
        own = conversation.ready["data"]["session_id"]
        self.assertEqual({event["session_id"] for event in events}, {own})
        self.assertTrue(all(isinstance(event["data"], dict) for event in events))
        self.assertEqual(events[2]["data"]["tool"], events[3]["data"]["tool"])
        self._assert_times(events)

    async def test_bearer_header_opens_a_websocket_staging(self) -> None:
        """A client that can send headers needs no subprotocol."""
        login = await self.login()
        headers = {"Authorization": f"Bearer {login.token}"}
        async with open_socket(additional_headers=headers) as socket:
            ready = await Conversation(socket=socket).next_event()
        self.assertIsNone(socket.subprotocol)
        self.assertEqual(ready["data"]["user_id"], login.user_id)

    async def test_bad_frames_get_an_error_and_the_connection_lives_on_staging(self) -> None:
        """Frames that are no chat messages are answered by an error event, and the next chat by an answer."""
        conversation = await self.connected(await self.login())
        for frame in ("{not json", json.dumps({"type": "nonsense"}), "[]"):
            await conversation.socket.send(frame)
            self.assertEqual((await conversation.next_event())["type"], "error", frame)
        self.assert_five_events(await conversation.ask("still there?"), "still there?")

    def _assert_times(self, events: list[dict]) -> None:
        times = [datetime.fromisoformat(event["timestamp"]) for event in events]
        self.assertEqual({time.utcoffset() for time in times}, {timedelta(0)})
        self.assertEqual(times, sorted(times))


if __name__ == "__main__":
    unittest.main()
