"""Sessions of one message that go on by themselves, by every engine; on real sockets."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from typing import Any

import pytest
from aiohttp import web
from engines import ENGINES
from hostile_server import CLOSE, PING, accept, frame
from scripted_service import (
    EVENTS,
    PATIENCE_S,
    TOKEN,
    Maker,
    ScriptedService,
    Way,
    answer,
    behave,
    greet,
    raw_server,
    visited,
)
from websockets.uri import parse_uri

from runbook_lib.agent.client import AgentClient
from runbook_lib.agent.engine import CLOSE_TIMEOUT_S, Engine
from runbook_lib.agent.fast import FastEngine
from runbook_lib.agent.fast.route import Route
from runbook_lib.agent.fast.session import FastSession
from runbook_lib.agent.fast.visit import FastVisit
from runbook_lib.agent.fast.wire import Address, LoopWire
from runbook_lib.agent.load.share import ShareOut, make_here
from runbook_lib.agent.websockets_engine import WebsocketsEngine
from runbook_lib.arrivals import Arrival
from runbook_lib.errors import HandshakeRejected, TurnTimeout
from runbook_lib.plan import Probes
from runbook_lib.ports import LISTEN_S, LoadJob, Visit


async def test_a_visit_is_told_once_with_what_the_session_knew_and_when_it_was_open(client: Maker) -> None:
    told: list[Visit | Exception] = []

    async def talk(socket: web.WebSocketResponse) -> None:
        await asyncio.sleep(0.2)
        await behave(socket)

    async with ScriptedService(talk=talk).serving() as service, asyncio.timeout(PATIENCE_S):
        began = time.monotonic()
        client().visit(service.url, TOKEN, "hello", "triage", told.append)
        assert told == []
        while not told:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
    (visit,) = told
    assert isinstance(visit, Visit)
    assert (visit.answer.status, visit.answer.violations) == ("answered", ())
    assert (visit.session_id, visit.user_id, visit.revision) == ("s1", "u1", "")
    assert 0.2 <= visit.opened_s - began < time.monotonic() - began - LISTEN_S


async def test_a_session_that_is_not_opened_in_time_is_left(client: Maker, way: Way) -> None:
    left = asyncio.Event()

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side is gone
        left.set()

    async with raw_server(silence) as url, asyncio.timeout(PATIENCE_S):
        with pytest.raises(TurnTimeout, match=r"did not come within 0\.3 s"):
            await way(client(connect_timeout_s=0.3), url)
        await left.wait()


async def test_goodbye_is_said_to_one_who_did_not_answer_in_time(client: Maker, way: Way) -> None:
    said: list[Any] = []

    async def stall(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.receive()
        said.append((await socket.receive()).data)

    async with ScriptedService(talk=stall).serving() as service, asyncio.timeout(PATIENCE_S):
        assert (await way(client(answer_timeout_s=0.2), service.url)).status == "answer_timeout"
    assert said == [1000]


async def test_visits_go_on_beside_each_other(client: Maker) -> None:
    here, most = 0, 0

    async def talk(socket: web.WebSocketResponse) -> None:
        nonlocal here, most
        here, most = here + 1, max(most, here + 1)
        await asyncio.sleep(0.3)
        await behave(socket)
        here -= 1

    async with ScriptedService(talk=talk).serving() as service, asyncio.timeout(PATIENCE_S):
        agents = client()
        answers = await asyncio.gather(*(visited(agents, service.url) for _ in range(20)))
    assert [each.status for each in answers] == ["answered"] * 20
    assert most == 20


@pytest.mark.parametrize("before", [b"", frame(b"", PING)], ids=["ordinary", "pinged"])
async def test_goodbye_is_said_after_listening_and_what_comes_after_it_counts_no_more(
    client: Maker, before: bytes
) -> None:
    goodbye: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        await reader.read(1000)
        answered = Answering()
        await answer(answered, "hello")
        writer.write(before + answered.sent)
        began = time.monotonic()
        came = b""
        while b"\x88\x82" not in came:  # a close frame, masked; before it may come a pong
            came += await reader.read(1000)
        goodbye.set_result(time.monotonic() - began)
        writer.write(answered.sent + frame(b"\x03\xe8", CLOSE))
        writer.close()

    async with raw_server(talk) as url, asyncio.timeout(PATIENCE_S):
        answered = await visited(client(protocol={"greeting": None}), url)
    assert (answered.status, answered.violations, len(answered.events)) == ("answered", (), len(EVENTS))
    assert goodbye.result() >= LISTEN_S


async def test_a_server_that_ignores_the_goodbye_is_waited_for_once(client: Maker) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        await reader.read(1000)
        answered = Answering()
        await answer(answered, "hello")
        writer.write(answered.sent)
        await reader.read()  # until the other side is gone
        left.set()

    left = asyncio.Event()
    async with raw_server(talk) as url, asyncio.timeout(PATIENCE_S):
        began = time.monotonic()
        assert (await visited(client(protocol={"greeting": None}), url)).status == "answered"
        assert CLOSE_TIMEOUT_S <= time.monotonic() - began < 2 * CLOSE_TIMEOUT_S
        await left.wait()


async def test_what_comes_before_the_message_is_a_violation(client: Maker) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.send_json({"type": "agent_started"})
        await behave_without_greeting(socket)

    async def behave_without_greeting(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await answer(socket, "hello")
        await socket.receive()

    async with ScriptedService(talk=talk).serving() as service, asyncio.timeout(PATIENCE_S):
        answered = await visited(client(), service.url)
    assert answered.violations == ("agent_started came before the message was sent",)


async def test_a_session_that_ends_before_the_message_is_told_as_closed(client: Maker, way: Way) -> None:
    async with ScriptedService(talk=greet).serving() as service, asyncio.timeout(PATIENCE_S):
        answered = await way(client(), service.url)
    assert answered.status == "closed"
    assert answered.detail.startswith("the server ended the session: received 1000")
    assert len(answered.violations) == len(EVENTS)  # none of them came


async def test_a_header_that_cannot_be_sent_is_told_at_once_or_as_the_end(client: Maker) -> None:
    agents = client(protocol={"headers": {"X-Id": "a\r\nb"}, "subprotocols": []})
    async with ScriptedService().serving() as service, asyncio.timeout(PATIENCE_S):
        for _ in range(2):  # the first session of an engine looks the host up
            with pytest.raises(HandshakeRejected, match=r"^/ws answered nothing: "):
                await visited(agents, service.url)
    assert service.requests == []


async def test_a_session_that_has_ended_is_gone_without_the_collector(client: Maker, way: Way) -> None:
    agents = client()
    async with ScriptedService().serving() as service, asyncio.timeout(PATIENCE_S):
        before = _sessions()
        gc.disable()
        try:
            for _ in range(3):
                await way(agents, service.url)
            await asyncio.sleep(0.05)
            assert _sessions() <= before
        finally:
            gc.enable()


def _sessions() -> int:
    """Count the sessions of the fast engine that are in memory."""
    return sum(type(each) in (FastSession, FastVisit) for each in gc.get_objects())


@pytest.mark.parametrize("engine", [FastEngine(), FastEngine(LoopWire), WebsocketsEngine()])
async def test_a_visit_that_is_ended_before_it_has_connected_never_does(engine: Engine) -> None:
    told: list[Visit | Exception] = []
    async with ScriptedService().serving() as service, asyncio.timeout(PATIENCE_S):
        for _ in range(2):  # the first session of an engine looks the host up
            agents = AgentClient(Probes(), "runbook/test", {}, engine)
            agents.visit(service.url, TOKEN, "hello", "triage", told.append)
            engine.close()
            await asyncio.sleep(0.2)
            assert not any(isinstance(each, Visit) for each in told)
        assert service.requests == []


def test_the_addresses_of_a_host_are_used_in_turn() -> None:
    one, two = (Address(family=2, where=(f"127.0.0.{last}", 80)) for last in (1, 2))
    route = Route(uri=parse_uri("ws://chat.test"), beginning="", addresses=(one, two))
    assert [route.from_next() for _ in range(3)] == [(one, two), (two, one), (one, two)]


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_load_that_is_cancelled_leaves_no_connection(engine: str) -> None:
    here: set[web.WebSocketResponse] = set()

    async def talk(socket: web.WebSocketResponse) -> None:
        here.add(socket)
        await greet(socket)
        while (await socket.receive()).type is web.WSMsgType.TEXT:  # it never answers
            pass
        here.remove(socket)

    name = "websockets" if engine == "websockets" else "fast"
    probes = Probes(load={"engine": name, "processes": 1}, answer_timeout_s=60)
    async with ScriptedService(talk=talk).serving() as service, asyncio.timeout(PATIENCE_S):
        arrivals = tuple(Arrival(number=number, at_s=0.0, gap_s=0.0) for number in range(8))
        job = LoadJob(urls={"candidate": service.url}, arrivals=arrivals)
        (share,) = ShareOut(probes=probes, user_agent="runbook/test", environment={}).shares(job, 1)
        load = asyncio.create_task(make_here(share, {}, lambda _: None))
        while len(here) < 8:
            await asyncio.sleep(0.01)
        load.cancel()
        with pytest.raises(asyncio.CancelledError):
            await load
        while here:
            await asyncio.sleep(0.01)


class Answering:
    """Takes the events of an answer in the place of a socket, and makes frames of them."""

    sent = b""

    async def send_json(self, event: dict[str, Any]) -> None:
        self.sent += frame(json.dumps(event).encode())
