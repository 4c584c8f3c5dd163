"""Logins and handshakes that are refused, never end, or are answered by something else; on real sockets."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from scripted_service import PATIENCE_S, SUBPROTOCOL, TOKEN, Maker, ScriptedService, Way, raw_server

from runbook_lib.errors import AgentError, HandshakeRejected, ProtocolViolation, TurnTimeout
from runbook_lib.ports import Offer

REFUSALS: dict[str, tuple[ScriptedService, str]] = {
    "401": (
        ScriptedService(refuse=lambda: web.Response(status=401, text=f'{{"error": "bad token {TOKEN}"}}')),
        '/ws answered 401: {"error": "bad token [redacted]"}',
    ),
    "504 without body": (
        ScriptedService(refuse=lambda: web.Response(status=504)),
        "/ws answered 504: Gateway Timeout",
    ),
    "redirect": (
        ScriptedService(refuse=lambda: web.Response(status=302, headers={"Location": "/elsewhere"})),
        "/ws answered 302: Found",
    ),
    "no subprotocol": (
        ScriptedService(select=()),
        "/ws answered 101: did not select the subprotocol jwt-auth",
    ),
    "token as subprotocol": (
        ScriptedService(select=(SUBPROTOCOL,)),
        "/ws answered 101: did not select the subprotocol jwt-auth",
    ),
}


@pytest.mark.parametrize(("service", "text"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refused_handshake_says_how_and_never_the_token(
    client: Maker, way: Way, service: ScriptedService, text: str
) -> None:
    service = dataclasses.replace(service, requests=[])  # another engine's are in the list
    async with service.serving():
        with pytest.raises(HandshakeRejected) as refusal:
            await way(client(), service.url)
    assert str(refusal.value) == text
    assert len(service.requests) == 1


async def test_a_token_in_the_query_is_in_no_error(client: Maker) -> None:
    offer = Offer(path=f"/ws?token={TOKEN}", subprotocols=(), headers={})
    async with ScriptedService(refuse=lambda: web.Response(status=401)).serving() as service:
        with pytest.raises(HandshakeRejected) as refusal:
            await client().connect(service.url, TOKEN, offer)
    assert str(refusal.value) == "/ws answered 401: Unauthorized"


async def _garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff\x00 not http at all\r\n\r\n" * 10)
    await writer.drain()


async def _close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize("script", [_garbage, _close])
async def test_a_server_that_speaks_no_http_is_a_rejection(client: Maker, way: Way, script: Any) -> None:
    async with raw_server(script) as url, asyncio.timeout(PATIENCE_S):
        with pytest.raises(HandshakeRejected, match=r"^/ws answered nothing: "):
            await way(client(), url)
        with pytest.raises(HandshakeRejected, match=r"^/auth/login answered nothing: "):
            await client().login(url, "a@example.test")
        reply = await client().get(url, "/health")
    assert (reply.status, reply.json) == (None, None)
    assert reply.detail


async def test_a_server_that_never_answers_costs_the_time_limit_and_no_more(client: Maker, way: Way) -> None:
    async with raw_server(_silence) as url, asyncio.timeout(PATIENCE_S):
        agents = client(connect_timeout_s=0.2)
        with pytest.raises(TurnTimeout) as late:
            await way(agents, url)
        with pytest.raises(HandshakeRejected) as silent:
            await agents.login(url, "a@example.test")
        reply = await agents.get(url, "/health")
    assert str(late.value) == "the session on /ws did not come within 0.2 s"
    assert str(silent.value) == "/auth/login answered nothing: no answer within 0.2 s"
    assert (reply.status, reply.detail) == (None, "no answer within 0.2 s")


async def test_a_port_where_nobody_listens_is_a_rejection(client: Maker, way: Way) -> None:
    async with raw_server(_silence) as url:
        pass
    with pytest.raises(HandshakeRejected, match=r"^/ws answered nothing: ConnectionRefusedError"):
        await way(client(), url)


async def test_an_address_that_is_none_is_a_rejection(client: Maker, way: Way) -> None:
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(HandshakeRejected, match=r"^/ws answered nothing: "):
            await way(client(), "ftp://127.0.0.1")


UNUSABLE = "/auth/login answered 200: no usable access_token in the answer"
TOO_LARGE = "/auth/login answered nothing: ValueError: the answer is larger than 1048576 bytes"


async def _login_with(client: Maker, response: Callable[[], web.Response]) -> str:
    async def login() -> web.StreamResponse:
        return response()

    async with ScriptedService(login=login).serving() as service, asyncio.timeout(PATIENCE_S):
        with pytest.raises(HandshakeRejected) as refusal:
            await client().login(service.url, "a@example.test")
    return str(refusal.value)


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (lambda: web.Response(status=401, text="no"), "/auth/login answered 401: no"),
        (lambda: web.Response(text="<html>"), UNUSABLE),
        (lambda: web.json_response({"access_token": ""}), UNUSABLE),
        (lambda: web.json_response({"access_token": "a\r\nb"}), UNUSABLE),
        (lambda: web.Response(body=b"x" * 2_000_000), TOO_LARGE),
    ],
    ids=["refused", "no json", "empty", "unsendable", "huge"],
)  # fmt: skip
async def test_a_login_without_a_usable_token_is_a_rejection(
    client: Maker, response: Callable[[], web.Response], text: str
) -> None:
    assert await _login_with(client, response) == text


async def _begin_with(client: Maker, way: Way, frame: str | bytes | None) -> AgentError:
    async def talk(socket: web.WebSocketResponse) -> None:
        if isinstance(frame, str):
            await socket.send_str(frame)
            await socket.receive()

    async with ScriptedService(talk=talk).serving() as service, asyncio.timeout(PATIENCE_S):
        with pytest.raises(AgentError) as trouble:
            await way(client(), service.url)
    return trouble.value


async def test_a_session_that_begins_otherwise_than_with_the_greeting_is_a_protocol_violation(
    client: Maker, way: Way
) -> None:
    for frame, found in (("hi", "no JSON object"), ('{"type": "error"}', "error")):
        trouble = await _begin_with(client, way, frame)
        assert isinstance(trouble, ProtocolViolation)
        assert str(trouble) == f"/ws began with {found} instead of connection_ready"


async def test_a_session_that_is_lost_before_the_greeting_is_a_rejection(client: Maker, way: Way) -> None:
    for frame, how in ((None, "received 1000"), (json.dumps({"type": "x" * 2_000_000}), "sent 1009")):
        trouble = await _begin_with(client, way, frame)
        assert isinstance(trouble, HandshakeRejected)
        assert str(trouble).startswith(
            f"/ws answered 101: lost the connection before connection_ready: {how}"
        )


async def test_a_greeting_that_never_comes_is_a_time_out(client: Maker, way: Way) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.receive()

    async with ScriptedService(talk=talk).serving() as service, asyncio.timeout(PATIENCE_S):
        with pytest.raises(TurnTimeout):
            await way(client(connect_timeout_s=0.2), service.url)
