"""The router carries HTTP and WebSocket to the right revision, both ways, and notices who leaves."""

import asyncio
import json
import socket
import sys
from collections import Counter
from urllib.parse import urlsplit

import httpx
import local
import pytest
import websockets
from emulator_cloud import ECHO, PARENT, PINNED, Cloud
from google.api_core import exceptions
from google.cloud import run_v2
from patience import eventually
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect


def ws_uri(service_: run_v2.Service) -> str:
    """Return the address of the test server's WebSocket."""
    return service_.uri.replace("http", "ws") + "/ws"


@pytest.fixture(scope="module")
def echo(cloud: Cloud) -> run_v2.Service:
    """A service that most tests here only read from."""
    return cloud.deploy("echo")


def test_traffic_is_split_by_percentage(cloud: Cloud) -> None:
    made = cloud.deploy("split", revision="split-a")
    made.template.revision = "split-b"
    made.traffic = [
        run_v2.TrafficTarget(type_=PINNED, revision="split-a", percent=80),
        run_v2.TrafficTarget(type_=PINNED, revision="split-b", percent=20),
    ]
    made = cloud.update(made)
    with httpx.Client() as client:
        served = Counter(client.get(made.uri).json()["revision"] for _ in range(400))

    # Four standard deviations around 80: the seed fixes the draws, the bound says what a split may look like.
    assert served.keys() == {"split-a", "split-b"}
    assert 48 <= served["split-b"] <= 112


def test_method_path_query_body_and_headers_arrive_unchanged(echo: run_v2.Service) -> None:
    path = "/a%2Fb/%C3%BC?x=1&x=2&y=%20"
    answer = local.request("PATCH", echo.uri + path, content=b"body", headers={"X-Mine": "1"})
    seen = answer.json()
    headers = {name.lower(): value for name, value in seen["headers"]}

    assert (seen["method"], seen["path"], seen["body"]) == ("PATCH", path, "body")
    assert headers["x-mine"] == "1"
    assert headers["host"] == urlsplit(echo.uri).netloc
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert answer.headers["x-from"] == "echo"


def test_a_trace_is_made_when_absent_and_kept_when_present(echo: run_v2.Service) -> None:
    made = dict(local.get(echo.uri).json()["headers"])
    trace_id = made["X-Cloud-Trace-Context"].split("/")[0]
    assert made["traceparent"].split("-")[1] == trace_id

    mine = f"00-{'ab' * 16}-{'cd' * 8}-01"
    kept = dict(local.get(echo.uri, headers={"traceparent": mine}).json()["headers"])
    assert kept["traceparent"] == mine
    assert kept["X-Cloud-Trace-Context"].startswith("ab" * 16)


@pytest.mark.parametrize("status", [204, 302, 304, 404, 418, 500])
def test_a_status_passes_as_it_is(echo: run_v2.Service, status: int) -> None:
    assert local.get(f"{echo.uri}/status/{status}").status_code == status
    assert httpx.head(f"{echo.uri}/status/{status}").status_code == status


def test_an_answer_streams(echo: run_v2.Service) -> None:
    with httpx.stream("GET", f"{echo.uri}/stream", timeout=10) as answer:
        assert next(answer.iter_raw()) == b"first\n"


def test_a_large_body_streams_to_the_container(echo: run_v2.Service) -> None:
    size = 8 * 1024 * 1024
    assert local.post(f"{echo.uri}/upload", content=b"x" * size, timeout=30).json() == {"bytes": size}
    chunks = (b"y" * 1000 for _ in range(100))
    assert local.post(f"{echo.uri}/upload", content=chunks, timeout=30).json() == {"bytes": 100_000}


def test_a_client_that_leaves_is_noticed_by_the_container(cloud: Cloud) -> None:
    made = cloud.deploy("leavers")
    with httpx.stream("GET", f"{made.uri}/stream", timeout=10) as answer:
        next(answer.iter_raw())
    eventually(
        lambda: local.get(f"{made.uri}/counts").json()["disconnects"], lambda count: count == 1, timeout_s=5
    )


async def test_websocket_messages_pass_both_ways(echo: run_v2.Service) -> None:
    async with websockets.connect(
        ws_uri(echo), subprotocols=["jwt-auth", "jwt.abc"], max_size=None
    ) as client:
        assert client.subprotocol == "jwt-auth"
        hello = await client.recv()
        assert '"trace": true' in str(hello)
        for message in ("short", "ü" * 70_000, b"\x00" * 3_000_000):
            await client.send(message)
            assert await client.recv() == message


async def test_a_websocket_close_code_passes(echo: run_v2.Service) -> None:
    async with websockets.connect(ws_uri(echo)) as client:
        await client.recv()
        await client.send("close")
        with pytest.raises(websockets.ConnectionClosedError):
            await client.recv()
        assert (client.close_code, client.close_reason) == (4321, "as asked")


async def test_a_container_that_drops_a_websocket_drops_the_client(echo: run_v2.Service) -> None:
    async with websockets.connect(ws_uri(echo)) as client:
        await client.recv()
        await client.send("abort")
        with pytest.raises(websockets.ConnectionClosedError):
            await asyncio.wait_for(client.recv(), 5)
        assert client.close_code == 1006


async def test_a_client_that_drops_its_websocket_is_noticed_by_the_container(cloud: Cloud) -> None:
    made = cloud.deploy("droppers")
    client = await websockets.connect(ws_uri(made))
    await client.recv()
    client.transport.abort()
    async with httpx.AsyncClient() as http, asyncio.timeout(5):
        while (await http.get(f"{made.uri}/counts")).json()["ws_closes"] != 1:
            await asyncio.sleep(0.02)


async def test_a_refused_handshake_passes_with_status_and_body(echo: run_v2.Service) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(ws_uri(echo), additional_headers={"Authorization": "Bearer wrong"})
    assert refused.value.response.status_code == 401
    assert bytes(refused.value.response.body) == b'{"error": "bad token"}'


async def test_many_websockets_at_once_keep_their_own_answers(echo: run_v2.Service) -> None:
    async def talk(number: int) -> None:
        async with websockets.connect(ws_uri(echo)) as client:
            await client.recv()
            for turn in range(5):
                await client.send(f"{number}:{turn}")
                assert await client.recv() == f"{number}:{turn}"

    await asyncio.gather(*(talk(number) for number in range(40)))


def test_a_crashed_container_is_logged_and_started_again(cloud: Cloud) -> None:
    made = cloud.deploy("crashes")
    before = local.get(made.uri).json()["pid"]
    assert local.get(f"{made.uri}/crash").status_code == 503
    noted = eventually(
        lambda: cloud.entries('resource.labels.service_name="crashes" "Container called exit(7)."')
    )
    assert noted[0].severity == 400
    assert local.get(made.uri, timeout=20).json()["pid"] != before
    eventually(
        lambda: sum(
            p.value.distribution_value.count
            for s in cloud.series("container/startup_latencies", "crashes")
            for p in s.points
        ),
        lambda starts: starts == 2,
    )


async def test_a_websocket_outlives_the_loss_of_traffic(cloud: Cloud) -> None:
    made = cloud.deploy("drains", revision="drains-a")
    async with websockets.connect(ws_uri(made)) as client:
        await client.recv()
        made.template.revision = "drains-b"
        await asyncio.to_thread(cloud.update, made)
        await client.send("still here")
        assert await client.recv() == "still here"


def test_a_request_that_lasts_too_long_is_ended(cloud: Cloud) -> None:
    made = cloud.deploy("hasty", timeout={"seconds": 1})
    assert local.get(f"{made.uri}/sleep/0.1").status_code == 200
    assert local.get(f"{made.uri}/sleep/20", timeout=15).status_code == 504
    (entry,) = eventually(
        lambda: cloud.entries('resource.labels.service_name="hasty" httpRequest.status=504')
    )
    assert entry.text_payload == (
        "The request has been terminated because it has reached the maximum request timeout. To change this "
        "limit, see https://cloud.google.com/run/docs/configuring/request-timeout"
    )


def test_a_service_without_a_ready_revision_answers_404(cloud: Cloud) -> None:
    with pytest.raises(exceptions.FailedPrecondition):
        cloud.deploy("never", image="exits")
    made = cloud.services.get_service(name=f"{PARENT}/services/never")
    assert local.get(made.uri).status_code == 404


def test_a_container_that_cannot_start_again_answers_503(cloud: Cloud, tmp_path: object) -> None:
    flag = f"{tmp_path}/started-once"
    script = f"test -e {flag} && exit 3; touch {flag}; exec $0 $1"
    made = cloud.deploy("once", command=["/bin/sh", "-c", script], args=_echo_words())
    assert local.get(f"{made.uri}/crash").status_code == 503
    assert local.get(made.uri, timeout=20).status_code == 503
    failed = eventually(lambda: cloud.entries('resource.labels.service_name="once" httpRequest.status=503'))
    assert "The request failed because the instance could not start successfully." in {
        entry.text_payload for entry in failed
    }


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_a_request_that_meets_an_ending_instance_is_given_to_a_new_one(cloud: Cloud, scheme: str) -> None:
    made = cloud.deploy(f"{scheme}-lingers", **_lives_on(0.5))
    before = cloud.pids(f"{scheme}-lingers")
    assert local.get(f"{made.uri}/crash").status_code == 503
    if scheme == "ws":
        with connect(ws_uri(made)) as client:
            assert json.loads(client.recv())
    else:
        assert local.get(made.uri, timeout=20).status_code == 200
    assert set(cloud.pids(f"{scheme}-lingers")).isdisjoint(before)


def test_an_instance_that_lives_on_without_listening_answers_503(cloud: Cloud) -> None:
    made = cloud.deploy("deaf", **_lives_on(60))
    assert local.get(f"{made.uri}/crash").status_code == 503
    assert local.get(made.uri, timeout=20).status_code == 503
    with pytest.raises(InvalidStatus, match="503"):
        connect(ws_uri(made))
    failed = eventually(
        lambda: cloud.entries('resource.labels.service_name="deaf" httpRequest.status=503'),
        lambda entries: len(entries) == 3,
    )
    assert all("connection to the instance had an error" in entry.text_payload for entry in failed)


def test_half_a_request_does_not_hold_the_port(echo: run_v2.Service) -> None:
    host = urlsplit(echo.uri)
    with socket.create_connection((host.hostname, host.port)) as half:
        half.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        assert local.get(echo.uri).status_code == 200


def test_env_of_the_template_beats_that_of_the_image(cloud: Cloud) -> None:
    assert local.get(cloud.deploy("image-env", image="echo-env").uri).json()["greeting"] == "from the image"
    mine = cloud.deploy("template-env", image="echo-env", env={"GREETING": "mine"})
    assert local.get(mine.uri).json()["greeting"] == "mine"


def _lives_on(seconds: float) -> dict[str, list[str]]:
    """Make a container whose own process outlives the server in it by this time."""
    return {"command": ["/bin/sh", "-c", f'"$0" "$1"; sleep {seconds}'], "args": _echo_words()}


def _echo_words() -> list[str]:
    return [sys.executable, str(ECHO)]
