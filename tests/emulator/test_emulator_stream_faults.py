"""Faults of the data plane: streams are dropped and instances killed, the chosen ones and no others."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import local
import pytest
import websockets
from emulator_cloud import PINNED, Cloud, run_command
from google.cloud import run_v2
from patience import eventually

from runbook_lib.emulator.faults import FaultBoard
from runbook_lib.emulator.wire import Method


@pytest.fixture
def faults(cloud: Cloud) -> Iterator[str]:
    """The faults' address; all are switched off afterwards."""
    url = f"{cloud.info['http']}/faults"
    yield url
    local.delete(url)


@pytest.fixture(scope="module")
def streams(cloud: Cloud) -> run_v2.Service:
    """A service whose streams are dropped here."""
    return cloud.deploy("streams")


def switch_on(url: str, name: str, **options: Any) -> None:
    """Switch a fault on."""
    answer = local.post(url, json={"name": name, **options})
    assert answer.status_code == 200, answer.text


def hits(url: str) -> int:
    """Return how often the only fault has hit."""
    (fault,) = local.get(url).json()["faults"]
    return int(fault["hits"])


def socket_to(service: run_v2.Service) -> websockets.connect:
    """Return a WebSocket to open."""
    return websockets.connect(service.uri.replace("http", "ws") + "/ws")


async def dropped(socket: websockets.ClientConnection) -> int | None:
    """Wait until a WebSocket is cut; return its close code."""
    with pytest.raises(websockets.ConnectionClosedError):
        await asyncio.wait_for(socket.recv(), 10)
    return socket.close_code


async def test_a_websocket_is_dropped_after_its_delay_in_mid_stream(
    faults: str, streams: run_v2.Service
) -> None:
    switch_on(faults, "drop-stream", target="streams", delay_s=0.5)
    async with socket_to(streams) as socket:
        began = asyncio.get_running_loop().time()
        await socket.recv()
        await socket.send("still up")
        assert await socket.recv() == "still up"
        assert await dropped(socket) == 1006
        assert asyncio.get_running_loop().time() - began >= 0.4
    assert hits(faults) == 1


async def test_a_websocket_that_was_open_before_is_dropped_too(faults: str, streams: run_v2.Service) -> None:
    async with socket_to(streams) as socket:
        await socket.recv()
        switch_on(faults, "drop-stream", target="streams", delay_s=0.1)
        assert await dropped(socket) == 1006


async def test_a_websocket_outlives_a_fault_that_ends_before_its_delay(
    faults: str, streams: run_v2.Service
) -> None:
    switch_on(faults, "drop-stream", delay_s=0.5, seconds=0.2)
    async with socket_to(streams) as socket:
        await socket.recv()
        await asyncio.to_thread(eventually, lambda: local.get(faults).json()["faults"] == [])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.8)


def test_a_streamed_answer_is_broken_off(faults: str, streams: run_v2.Service) -> None:
    switch_on(faults, "drop-stream", target="streams", delay_s=0.2)
    with httpx.stream("GET", f"{streams.uri}/stream", timeout=10) as answer:
        lines = answer.iter_raw()
        assert next(lines) == b"first\n"
        with pytest.raises(httpx.RemoteProtocolError):
            next(lines)
    assert hits(faults) == 1


def test_answers_that_end_before_the_delay_are_whole_and_their_connection_stays(
    faults: str, streams: run_v2.Service
) -> None:
    switch_on(faults, "drop-stream", target="streams", delay_s=1.0)
    with httpx.Client() as client:
        assert {client.get(streams.uri).status_code for _ in range(5)} == {200}
        assert client.get(f"{streams.uri}/sleep/1.5").status_code == 200
    assert hits(faults) == 0


async def test_only_streams_of_the_target_are_dropped_at_the_rate(cloud: Cloud, faults: str) -> None:
    made = await asyncio.to_thread(cloud.deploy, "aimed", revision="aimed-a")
    made.template.revision = "aimed-b"
    made.traffic = [
        run_v2.TrafficTarget(type_=PINNED, revision="aimed-a", percent=100),
        run_v2.TrafficTarget(type_=PINNED, revision="aimed-b", tag="candidate"),
    ]
    made = await asyncio.to_thread(cloud.update, made)
    candidate = next(status.uri for status in made.traffic_statuses if status.tag)
    switch_on(faults, "drop-stream", target="aimed-b", rate=0.5, delay_s=0.1, seed=2)

    async def survives(uri: str) -> bool:
        async with websockets.connect(uri.replace("http", "ws") + "/ws") as socket:
            await socket.recv()
            try:
                await asyncio.wait_for(socket.recv(), 2.5)
            except TimeoutError:
                return True
            except websockets.ConnectionClosedError:
                return False
            raise AssertionError("nobody was to speak")

    of_baseline = await asyncio.gather(*(survives(made.uri) for _ in range(20)))
    of_candidate = await asyncio.gather(*(survives(candidate) for _ in range(20)))
    assert all(of_baseline)
    assert 4 <= sum(of_candidate) <= 16
    assert hits(faults) == 20 - sum(of_candidate)


async def test_the_instance_that_serves_is_killed_and_another_takes_over(cloud: Cloud, faults: str) -> None:
    made = await asyncio.to_thread(cloud.deploy, "killed")
    async with httpx.AsyncClient(timeout=30) as client, socket_to(made) as socket:
        first = json.loads(await socket.recv())["pid"]
        switch_on(faults, "kill-instance", target="killed")
        assert (await client.get(f"{made.uri}/sleep/20")).status_code == 503
        assert await dropped(socket) == 1006
        assert hits(faults) == 1
        local.delete(faults)
        assert (await client.get(made.uri)).json()["pid"] != first
    signal = 'resource.labels.service_name="killed" "Container terminated on signal 9." severity=ERROR'
    assert await asyncio.to_thread(eventually, lambda: cloud.entries(signal))


def test_an_instance_lives_on_for_the_delay_and_other_services_are_left_alone(
    cloud: Cloud, faults: str, streams: run_v2.Service
) -> None:
    made = cloud.deploy("killed-late")
    switch_on(faults, "kill-instance", target="killed-l*", delay_s=0.3)
    before = local.get(streams.uri).json()["pid"]
    first = local.get(made.uri).json()["pid"]
    eventually(lambda: first not in cloud.pids("killed-late"))
    assert local.get(streams.uri).json()["pid"] == before


def board() -> tuple[FaultBoard, Method]:
    """Return a board of one streaming method, by a clock that moves a second whenever it is asked."""

    async def handle(_: Any) -> Any:
        raise NotImplementedError

    method = Method(
        service="google.logging.v2.LoggingServiceV2", name="TailLogEntries", request=None, handle=handle
    )
    ticks = itertools.count()
    return FaultBoard(lambda: [method], lambda: float(next(ticks))), method


@pytest.mark.parametrize(
    ("fault", "end_s"),
    [
        ({"method": "LoggingServiceV2.Tail*", "delay_s": 3}, 3),
        ({}, 2.0),
        ({"target": "backend"}, None),
        ({"method": "*", "seconds": 1}, None),
    ],
)
def test_an_api_stream_is_told_when_it_ends(fault: dict[str, Any], end_s: float | None) -> None:
    faults, method = board()
    assert faults.stream_end_s(method) is None
    faults.add({"name": "drop-stream", **fault})
    assert faults.stream_end_s(method) == end_s


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"name": "slow", "target": "streams"}, "target"),
        ({"name": "late-logs", "target": "streams"}, "target"),
        ({"name": "kill-instance", "method": "Services.GetService"}, "method"),
        ({"name": "drop-stream", "method": "Services.Explode"}, "method"),
        ({"name": "drop-stream", "target": 7}, "target"),
        ({"name": "drop-stream", "delay_s": 0}, "delay_s"),
    ],
)
def test_a_fault_that_is_aimed_wrongly_is_refused_with_its_field(
    faults: str, document: dict[str, Any], field: str
) -> None:
    answer = local.post(faults, json=document)
    assert answer.status_code == 400
    (detail,) = answer.json()["error"]["details"]
    assert detail["fieldViolations"][0]["field"] == field


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["drop-stream"], "drop-stream on * and requests to *, rate 1, 0 hits so far\n"),
        (["drop-stream", "--target", "a*"], "drop-stream on requests to a*, rate 1, 0 hits so far\n"),
        (["kill-instance", "--rate", "0.1"], "kill-instance on requests to *, rate 0.1, 0 hits so far\n"),
    ],
)
def test_the_command_aims_faults(cloud: Cloud, faults: str, arguments: list[str], shown: str) -> None:
    state_dir = str(Path(cloud.info["log"]).parent)
    done = run_command("faults", "add", *arguments, "--state-dir", state_dir)
    assert (done.returncode, done.stdout) == (0, shown)
