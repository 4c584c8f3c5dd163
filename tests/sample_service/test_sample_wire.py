"""The sample service's wire: who is let in, what is refused, and how it says goodbye."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest
from sample_process import (
    PATIENCE_S,
    SampleProcess,
    ask,
    logged_in,
    login,
    receive,
    running,
    send_chat,
    subprotocols,
)
from sample_survey import settled_sessions
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

SECRET = "a-secret-of-these-tests-with-enough-bits"  # noqa: S105
PASSWORD = "only-for-these-tests"  # noqa: S105


@pytest.fixture(scope="module")
def service() -> Iterator[SampleProcess]:
    """One healthy process for all tests that leave it as it was."""
    with running("healthy", JWT_SECRET_KEY=SECRET, STAGING_PASSWORD=PASSWORD, ANSWER_S="0.04") as process:
        yield process


@pytest.fixture
def http(service: SampleProcess) -> Iterator[httpx.Client]:
    """A client for it."""
    with httpx.Client(base_url=service.url, timeout=PATIENCE_S) as client:
        yield client


def _token(**claims: object) -> str:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    return jwt.encode({"sub": "user-x", "exp": soon, **claims}, SECRET, algorithm="HS256")


def _uri(service: SampleProcess) -> str:
    return f"ws://127.0.0.1:{service.port}/ws"


def test_login_of_a_test_account_gives_a_bearer_token_for_an_hour(http: httpx.Client) -> None:
    """The token names the user that the answer names."""
    body = login(http, "probe-1@example.test").raise_for_status().json()
    assert body["token_type"] == "Bearer"  # noqa: S105
    assert body["expires_in"] == 3600
    claims = jwt.decode(body["access_token"], SECRET, algorithms=["HS256"])
    assert claims["sub"] == body["user_id"]
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize(
    "user", ["ceo@example.com", "x@notexample.test.evil", "x@sub.example.test", "example.test"]
)
def test_login_of_anybody_else_needs_the_staging_password(http: httpx.Client, user: str) -> None:
    """No password, a wrong one and one of a wrong type are refused; the right one is not."""
    for more in ({}, {"password": "guess"}, {"password": 7}, {"password": ""}):
        answer = login(http, user, **more)
        assert answer.status_code == 401
        assert answer.json() == {"error": "wrong user or password"}
    assert login(http, user, password=PASSWORD).status_code == 200


def test_login_with_a_password_is_closed_when_the_service_has_none() -> None:
    """An unset STAGING_PASSWORD is not an empty one."""
    with (
        running("healthy", STAGING_PASSWORD="") as process,
        httpx.Client(base_url=process.url, timeout=PATIENCE_S) as client,
    ):
        assert login(client, "ceo@example.com", password="").status_code == 401


@pytest.mark.parametrize("body", [b"{nope", b"[]", b"{}", b'{"user": 5}', b'{"user": ""}', b"\xff\xfe"])
def test_login_with_a_bad_body_is_a_bad_request(http: httpx.Client, body: bytes) -> None:
    """What cannot be read is 400 with a reason, never 500."""
    answer = http.post("/auth/login", content=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("path", ["/api/agents", "/api/threads/thread-1"])
@pytest.mark.parametrize("header", [None, "Bearer", "Bearer nonsense", "Basic dXNlcjpwYXNz", "Bearer a.b.c"])
def test_api_without_a_good_token_is_unauthorised(http: httpx.Client, path: str, header: str | None) -> None:
    """Every API path asks who is there."""
    answer = http.get(path, headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_api_takes_a_good_token_by_bearer_only(http: httpx.Client) -> None:
    """The same token under another scheme is no token."""
    for scheme, status in (("Basic", 401), ("Bearer", 200), ("bearer", 200)):
        answer = http.get("/api/agents", headers={"Authorization": f"{scheme} {_token()}"})
        assert answer.status_code == status


def test_api_lists_the_agent_kinds(http: httpx.Client) -> None:
    """The three kinds, by name."""
    answer = http.get("/api/agents", headers={"Authorization": f"Bearer {_token()}"})
    assert answer.json() == {"agents": ["triage", "data", "reporting"]}


def test_unknown_path_is_not_found_as_json(http: httpx.Client) -> None:
    """Even refusals have the shape of refusals."""
    answer = http.get("/nowhere")
    assert (answer.status_code, answer.json()) == (404, {"error": "404: Not Found"})


def _bad_tokens() -> dict[str, list[str] | None]:
    past = datetime.now(UTC) - timedelta(seconds=5)
    unsigned = jwt.encode({"sub": "user-x", "exp": past + timedelta(days=1)}, None, algorithm="none")
    return {
        "no token": None,
        "only the marker": ["jwt-auth"],
        "token without the marker": [subprotocols(_token())[1]],
        "expired": subprotocols(_token(exp=past)),
        "wrong secret": subprotocols(_token()[:-6] + "AAAAAA"),
        "unsigned": subprotocols(unsigned),
        "nobody": subprotocols(_token(sub=None)),
        "not base64": ["jwt-auth", "jwt.!!!"],
        "empty": ["jwt-auth", "jwt."],
    }


@pytest.mark.parametrize("case", sorted(_bad_tokens()))
async def test_handshake_without_a_good_token_answers_401(service: SampleProcess, case: str) -> None:
    """Refused before the upgrade, so that a client sees an HTTP status."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(_uri(service), subprotocols=_bad_tokens()[case], proxy=None):
            pass
    assert refused.value.response.status_code == 401


async def test_handshake_by_subprotocols_selects_jwt_auth_in_any_order(service: SampleProcess) -> None:
    """The token itself is never sent back."""
    for offered in (subprotocols(_token()), subprotocols(_token())[::-1]):
        async with connect(_uri(service), subprotocols=offered, proxy=None) as socket:
            assert socket.subprotocol == "jwt-auth"
            assert (await receive(socket))["data"]["user_id"] == "user-x"


async def test_handshake_by_bearer_header_selects_no_subprotocol(service: SampleProcess) -> None:
    """The other way in."""
    headers = {"Authorization": f"Bearer {_token()}"}
    async with connect(_uri(service), additional_headers=headers, proxy=None) as socket:
        assert socket.subprotocol is None
        ready = await receive(socket)
    assert ready["type"] == "connection_ready"
    assert ready["data"]["revision"] == "backend-service-00001-abc"
    assert set(ready) == {"type", "data", "message_id", "timestamp"}


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("{nope", "not JSON"),
        ("[" * 20_000, "not JSON"),
        ("[]", "unknown message type None: send chat_message"),
        ('{"type": "shout"}', "unknown message type 'shout': send chat_message"),
        ('{"type": "chat_message"}', "data must be an object"),
        ('{"type": "chat_message", "data": {"content": ""}}', "data.content must be a text of"),
        ('{"type": "chat_message", "data": {"content": "x", "agent": 1}}', "data.agent must be a text"),
        ('{"type": "chat_message", "data": {"content": "x", "thread_id": 1}}', "data.thread_id must be null"),
        (b"\xff\xfe", "not JSON"),
    ],
)
async def test_bad_frame_gets_an_error_event_and_the_connection_lives(
    service: SampleProcess, frame: str | bytes, message: str
) -> None:
    """The client reads what was wrong and can go on."""
    user = await logged_in(service.url, "clumsy")
    async with user.socket() as socket:
        await receive(socket)
        await socket.send(frame)
        error = await receive(socket)
        assert error["type"] == "error"
        assert error["data"]["code"] == "bad_message"
        assert error["data"]["message"].startswith(message)
        answer = await ask(socket, user, "and now?", within_s=PATIENCE_S)
        assert len(answer.events) == 5


async def test_unknown_agent_is_one_agent_error(service: SampleProcess) -> None:
    """It names the agents that there are."""
    user = await logged_in(service.url, "curious")
    async with user.socket() as socket:
        await receive(socket)
        answer = await ask(socket, user, "hello", within_s=PATIENCE_S, agent="poet")
    (event,) = answer.events
    assert event["data"] == {
        "code": "unknown_agent",
        "message": "no agent kind 'poet': use one of triage, data, reporting",
    }


async def test_answers_on_one_connection_come_one_after_the_other(service: SampleProcess) -> None:
    """Two questions at once are two whole answers in order, each with its own run."""
    user = await logged_in(service.url, "hasty")
    async with user.socket() as socket:
        ready = await receive(socket)
        await send_chat(socket, "first", thread_id="thread-of-hasty")
        await send_chat(socket, "second")
        events = [await receive(socket) for _ in range(10)]
    assert [event["sequence"] for event in events] == [1, 2, 3, 4, 5] * 2
    assert len({event["run_id"] for event in events}) == 2
    assert len({event["message_id"] for event in events}) == 10
    assert {event["session_id"] for event in events} == {ready["data"]["session_id"]}
    assert {event["thread_id"] for event in events[:5]} == {"thread-of-hasty"}
    assert "first" in events[4]["data"]["response"]
    assert "second" in events[9]["data"]["response"]
    times = [datetime.fromisoformat(event["timestamp"]) for event in events]
    assert times == sorted(times)
    assert all(event["timestamp"].endswith("Z") for event in events)


async def test_thread_is_visible_to_its_owner_only(service: SampleProcess) -> None:
    """Somebody else's thread looks as one that does not exist, even under the same id."""
    owner, other = [await logged_in(service.url, name) for name in ("owner", "other")]
    async with owner.socket() as socket:
        await receive(socket)
        await ask(socket, owner, "my secret", within_s=PATIENCE_S, thread_id="thread-1")
    async with httpx.AsyncClient(base_url=service.url, timeout=PATIENCE_S) as client:
        seen = {
            user.user_id: await client.get(
                "/api/threads/thread-1", headers={"Authorization": f"Bearer {user.token}"}
            )
            for user in (owner, other)
        }
    assert [message["role"] for message in seen[owner.user_id].json()["messages"]] == ["user", "agent"]
    assert seen[other.user_id].status_code == 404
    assert "my secret" not in seen[other.user_id].text


async def test_health_counts_open_sessions_by_component(service: SampleProcess) -> None:
    """Two open sockets are two sessions, whoever holds them."""
    user = await logged_in(service.url, "twice")
    async with (
        user.socket() as first,
        user.socket() as second,
        httpx.AsyncClient(base_url=service.url, timeout=PATIENCE_S) as client,
    ):
        ready = [await receive(socket) for socket in (first, second)]
        body = (await client.get("/health")).json()
    assert ready[0]["data"]["session_id"] != ready[1]["data"]["session_id"]
    assert body["sessions"]["active"] >= 2  # those of the tests before may still be closing
    assert body["revision"] == "backend-service-00001-abc"
    assert {name: part["status"] for name, part in body["components"].items()} == {
        "agent_registry": "healthy",
        "session_manager": "healthy",
        "websocket": "healthy",
    }


def test_log_has_a_line_for_the_session_and_the_chat_but_not_the_words(service: SampleProcess) -> None:
    """Structured, with severity; what users say stays out of it."""

    async def talk() -> None:
        user = await logged_in(service.url, "logged")
        async with user.socket() as socket:
            await receive(socket)
            await ask(socket, user, "words for nobody else", within_s=PATIENCE_S)

    asyncio.run(talk())
    chat = service.entry("chat received")
    assert chat is not None
    assert service.entry("session opened") is not None
    assert {"severity", "message", "time", "user_id", "session_id", "run_id", "agent"} <= set(chat)
    assert "words for nobody else" not in json.dumps(service.log)


async def test_user_who_leaves_in_the_middle_of_an_answer_is_forgotten_at_once() -> None:
    """The rest of a long answer does not hold the session."""
    with running("healthy", ANSWER_S="120") as process:
        user = await logged_in(process.url, "leaver")
        async with user.socket() as socket:
            await receive(socket)
            await send_chat(socket, "never mind")
            assert (await receive(socket))["type"] == "agent_started"
        async with httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as client:
            assert await settled_sessions(client, within_s=5) == 0


async def test_sigterm_closes_sockets_with_1001_and_exits_0() -> None:
    """A client in the middle of an answer is told to go elsewhere, and the process does not linger."""
    with running("healthy", ANSWER_S="60") as process:
        user = await logged_in(process.url, "patient")
        async with user.socket() as socket:
            await receive(socket)
            await send_chat(socket, "this takes long")
            assert (await receive(socket))["type"] == "agent_started"
            asked_s = time.monotonic()
            process.popen.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                await receive(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert await asyncio.to_thread(process.popen.wait, PATIENCE_S) == 0
        assert time.monotonic() - asked_s < 5  # Cloud Run would kill it after 10 s


def test_sigterm_while_starting_slowly_exits_0_without_listening() -> None:
    """A revision that is given up before it was ready goes quietly."""
    with running("slow-start", SLOW_START_S="60") as process:
        assert process.entry("starting") is not None
        assert process.entry("waiting") is not None
        process.popen.send_signal(signal.SIGTERM)
        assert process.popen.wait(PATIENCE_S) == 0
        assert process.entry("listening") is None


def test_a_size_that_is_no_number_ends_the_start_with_the_reason() -> None:
    """The text names the variable, its value and what to give."""
    with running("slow-start", SLOW_START_S="soon") as process:
        assert process.popen.wait(PATIENCE_S) == 2
        assert process.entry("environment variable SLOW_START_S is 'soon': give a number, 0 or more")


def test_a_taken_port_ends_the_start_with_the_reason(service: SampleProcess) -> None:
    """As a container whose PORT is in use would end."""
    with running("healthy", PORT=str(service.port)) as process:
        assert process.popen.wait(PATIENCE_S) == 1
        assert process.entry("listening") is None
        assert process.log[-1]["severity"] == "CRITICAL"
