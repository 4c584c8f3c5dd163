"""The client against services that behave, refuse, stall and lie; all on real sockets."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from hostile_server import accept
from scripted_service import (
    EVENTS,
    PATIENCE_S,
    SUBPROTOCOL,
    TOKEN,
    Maker,
    ScriptedService,
    Way,
    answer,
    chatted,
    greet,
    raw_server,
)

from runbook_lib.errors import PlanError
from runbook_lib.ports import Answer

Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


async def say_hello(client: Maker, service: ScriptedService, way: Way = chatted, **probes: Any) -> Answer:
    """Log in, connect, say `hello`, close; none of it may hang."""
    async with asyncio.timeout(PATIENCE_S):
        agents = client(**probes)
        assert await agents.login(service.url, "probe-1@example.test") == TOKEN
        return await way(agents, service.url)


async def test_a_session_logs_in_connects_and_is_answered(client: Maker) -> None:
    async with ScriptedService().serving() as service:
        answered = await say_hello(client, service)
    assert (answered.status, answered.violations, answered.detail) == ("answered", (), "")
    assert [event.type for event in answered.events] == list(EVENTS)
    assert "hello" in answered.text
    assert service.bodies == [{"user": "probe-1@example.test"}]


async def test_every_request_says_which_run_it_comes_from_and_the_socket_offers_no_compression(
    client: Maker,
) -> None:
    async with ScriptedService().serving() as service:
        await say_hello(client, service)
        await client().get(service.url, "/api/200", TOKEN)
    assert [(path, headers["User-Agent"]) for path, headers in service.requests] == [
        ("/auth/login", "runbook/20261123-test"),
        ("/ws", "runbook/20261123-test"),
        ("/api/200", "runbook/20261123-test"),
    ]
    handshake = service.requests[1][1]
    assert handshake["Sec-WebSocket-Protocol"] == f"jwt-auth, {SUBPROTOCOL}"
    assert "Sec-WebSocket-Extensions" not in handshake
    assert service.requests[2][1]["Authorization"] == f"Bearer {TOKEN}"


async def test_a_plan_may_send_the_token_in_a_header_and_want_no_greeting(client: Maker) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        asked = await socket.receive_json()
        await answer(socket, asked["q"][0])

    protocol = {"subprotocols": (), "headers": {"X-Auth": "T {token}"}, "greeting": None}
    protocol |= {"message": {"q": ["{content}"]}}
    async with ScriptedService(talk=talk).serving() as service:
        answered = await say_hello(client, service, protocol=protocol)
    assert answered.status == "answered"
    assert service.requests[1][1]["X-Auth"] == f"T {TOKEN}"
    assert "Sec-WebSocket-Protocol" not in service.requests[1][1]


async def test_several_messages_go_over_one_session(client: Maker) -> None:
    async with ScriptedService().serving() as service:
        session = await client().connect(service.url, TOKEN)
        answers = [await session.chat(f"hello-{turn}", "triage") for turn in range(3)]
        await session.close()
    assert [(each.status, each.violations) for each in answers] == [("answered", ())] * 3
    assert session.session_id == "s1"


async def test_the_password_of_the_plan_is_sent_and_its_absence_is_a_plan_error(client: Maker) -> None:
    auth = {"password_env": "STAGING_PASSWORD"}
    async with ScriptedService().serving() as service:
        await client({"STAGING_PASSWORD": "correct horse"}, auth=auth).login(service.url, "a@example.org")
    assert service.bodies == [{"user": "a@example.org", "password": "correct horse"}]
    with pytest.raises(PlanError) as error:
        client({}, auth=auth)
    assert str(error.value) == (
        "probes.auth.password_env: the environment variable STAGING_PASSWORD is not set; "
        "export the test users' password"
    )


async def test_proxy_variables_do_not_interfere(client: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with ScriptedService().serving() as service:
        assert (await say_hello(client, service)).status == "answered"


def after_the_message(act: Talk) -> ScriptedService:
    """Return a service that greets, takes one message, and then does `act`."""

    async def talk(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.receive()
        await act(socket)

    return ScriptedService(talk=talk)


async def _stall(socket: web.WebSocketResponse) -> None:
    await socket.send_json({"type": "agent_started"})
    await socket.receive()


async def _leave(socket: web.WebSocketResponse) -> None:
    await socket.close(code=1011, message=f"token {TOKEN} was bad".encode())


async def _drop(socket: web.WebSocketResponse) -> None:
    assert socket._req is not None
    assert socket._req.transport is not None
    socket._req.transport.abort()


async def _shout(socket: web.WebSocketResponse) -> None:
    await socket.send_str("x" * 2_000_000)
    await socket.receive()


async def _babble(socket: web.WebSocketResponse) -> None:
    await socket.send_str("nonsense")
    await socket.receive()


async def _flood(socket: web.WebSocketResponse) -> None:
    for _ in range(5_000):
        await socket.send_json({"type": "agent_thinking"})


HOSTILE = {
    "stall": (_stall, "answer_timeout", "the final event did not come within 0.3 s"),
    "leave": (_leave, "closed", "the server ended the session: received 1011"),
    "drop": (_drop, "closed", "the server ended the session: no close frame"),
    "shout": (_shout, "protocol_violation", "a frame could not be read: 1009"),
    "babble": (_babble, "protocol_violation", "frame 1 is not a JSON object"),
    "flood": (_flood, "protocol_violation", "the answer did not end within 500 frames"),
}


@pytest.mark.parametrize(("act", "status", "detail"), HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_answer_has_a_named_outcome_and_never_hangs(
    client: Maker, way: Way, act: Talk, status: str, detail: str
) -> None:
    limit_s = 0.3 if status == "answer_timeout" else 8.0
    async with after_the_message(act).serving() as service:
        hostile = await say_hello(client, service, way, answer_timeout_s=limit_s)
    assert (hostile.status, hostile.answer_s) == (status, None)
    assert hostile.detail.startswith(detail)
    assert "eyJ" not in repr(hostile)


async def test_a_final_event_sent_twice_is_a_violation(client: Maker, way: Way) -> None:
    async def twice(socket: web.WebSocketResponse) -> None:
        await answer(socket, "hello")
        await socket.send_json({"type": "agent_completed"})
        await socket.receive()

    async with after_the_message(twice).serving() as service:
        answered = await say_hello(client, service, way)
    assert answered.violations == ("agent_completed came after the end of the answer",)


async def test_a_message_on_a_session_that_the_server_has_ended_is_told_as_closed(client: Maker) -> None:
    async with ScriptedService(talk=greet).serving() as service, asyncio.timeout(PATIENCE_S):
        session = await client().connect(service.url, TOKEN)
        assert (await session.chat("hello", "triage")).status == "closed"
        await session.close()
        await session.close()


async def test_closing_a_session_that_the_server_ignores_ends_in_time(client: Maker) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        await asyncio.sleep(60)  # reads nothing, says nothing; the test ends it

    async with raw_server(talk) as url, asyncio.timeout(PATIENCE_S):
        session = await client(protocol={"greeting": None}, answer_timeout_s=0.2).connect(url, TOKEN)
        # More than the sockets buffer, so that even sending cannot end.
        assert (await session.chat("x" * 20_000_000, "triage")).status == "answer_timeout"
        began = time.monotonic()
        await session.close()
        assert time.monotonic() - began < 5


async def test_no_log_line_holds_a_token(client: Maker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with ScriptedService().serving() as service:
        await say_hello(client, service)
    assert "eyJ" not in caplog.text
    assert "jwt.ZXlK" not in caplog.text


async def test_a_session_that_is_dropped_leaves_in_the_middle_of_its_answer_without_a_word(
    client: Maker,
) -> None:
    left: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def talk(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.receive()
        await socket.send_json({"type": "agent_started"})
        left.set_result(await socket.receive())

    async with ScriptedService(talk=talk).serving() as service, asyncio.timeout(PATIENCE_S):
        session = await client(protocol={"required_fields": ()}).connect(service.url, TOKEN)
        dropped = await session.drop("hello", "triage")
        message = await left
        await session.close()
    assert (dropped.status, [event.type for event in dropped.events]) == ("closed", ["agent_started"])
    assert dropped.detail.startswith("dropped on purpose; the last event was agent_started at 0.")
    assert message.type is not web.WSMsgType.TEXT
    assert (message.type, message.data) != (web.WSMsgType.CLOSE, 1000)


async def test_a_session_may_listen_longer_for_what_should_not_come_any_more(client: Maker) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.receive()
        await answer(socket, "hello")
        await asyncio.sleep(0.15)
        await socket.send_json({"type": "agent_thinking", "run_id": "of somebody else"})
        await socket.receive()

    async with ScriptedService(talk=talk).serving() as service, asyncio.timeout(PATIENCE_S):
        session = await client().connect(service.url, TOKEN)
        answered = await session.chat("hello", "triage", listen_s=0.5)
        await session.close()
    assert answered.violations == ("agent_thinking came after the end of the answer, in a second answer",)
