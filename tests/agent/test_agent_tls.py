"""Sessions over TLS: certificates are checked, sessions are resumed, and hostility has the same outcomes."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest
from aiohttp import web
from scripted_service import PATIENCE_S, TOKEN, Maker, ScriptedService, Way, behave, raw_server
from test_agent_client import HOSTILE, Talk, after_the_message, say_hello

from runbook_lib.agent.client import AgentClient
from runbook_lib.agent.fast import FastEngine
from runbook_lib.errors import HandshakeRejected
from runbook_lib.plan import Probes

ACTS = {name: HOSTILE[name] for name in ("stall", "leave", "drop", "shout")}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine that vouches for itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    made = (folder / "certificate.pem", folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    about = ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-out", str(made[0]), "-keyout", str(made[1])]
    subprocess.run(["/usr/bin/env", *command, *about, *files], check=True, capture_output=True)
    return made


@pytest.fixture
def server_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """What a server needs to have the certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate is trusted, as a company's own is."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))


@pytest.mark.usefixtures("trusted")
async def test_sessions_over_tls_are_answered_and_the_token_is_not_sent_before(
    client: Maker, way: Way, server_tls: ssl.SSLContext
) -> None:
    service = ScriptedService()
    async with service.serving(server_tls):
        answered = await say_hello(client, service, way)
    assert service.url.startswith("https://")
    assert (answered.status, answered.violations, answered.detail) == ("answered", (), "")


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    client: Maker, way: Way, server_tls: ssl.SSLContext
) -> None:
    service = ScriptedService()
    async with service.serving(server_tls), asyncio.timeout(PATIENCE_S):
        with pytest.raises(HandshakeRejected) as refused:
            await way(client(), service.url)
    assert str(refused.value).startswith("/ws answered nothing: SSLCertVerificationError: ")
    assert "certificate verify failed: self-signed certificate" in str(refused.value)
    assert service.requests == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("act", "status", "detail"), ACTS.values(), ids=ACTS)
async def test_a_hostile_answer_over_tls_has_the_same_outcome(
    client: Maker, way: Way, server_tls: ssl.SSLContext, act: Talk, status: str, detail: str
) -> None:
    limit_s = 0.3 if status == "answer_timeout" else 8.0
    service = after_the_message(act)
    async with service.serving(server_tls):
        hostile = await say_hello(client, service, way, answer_timeout_s=limit_s)
    assert (hostile.status, hostile.answer_s) == (status, None)
    assert hostile.detail.startswith(detail)


@pytest.mark.usefixtures("trusted")
async def test_what_speaks_no_tls_is_refused(client: Maker, way: Way) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await writer.drain()
        await reader.read()

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    for script in (shout, leave):
        async with raw_server(script) as url, asyncio.timeout(PATIENCE_S):
            with pytest.raises(HandshakeRejected, match=r"^/ws answered nothing: "):
                await way(client(), url.replace("http", "https"))


@pytest.mark.usefixtures("trusted")
async def test_the_fast_engine_resumes_the_session_before_with_the_same_server_only(
    server_tls: ssl.SSLContext,
) -> None:
    resumed: list[bool] = []

    async def talk(socket: web.WebSocketResponse) -> None:
        assert socket._req is not None
        assert socket._req.transport is not None
        resumed.append(socket._req.transport.get_extra_info("ssl_object").session_reused)
        await behave(socket)

    agents = AgentClient(Probes(), "runbook/tls", {}, FastEngine())

    async def chat(url: str) -> None:
        session = await agents.connect(url, TOKEN)
        assert (await session.chat("hello", "triage", listen_s=0)).status == "answered"
        await session.close()

    one, other = ScriptedService(talk=talk), ScriptedService(talk=talk)
    async with one.serving(server_tls), other.serving(server_tls), asyncio.timeout(PATIENCE_S):
        for url in (one.url, one.url, other.url, one.url):
            await chat(url)
    assert resumed == [False, True, False, True]


async def test_a_port_where_nobody_listens_is_told_as_it_is_without_tls(client: Maker, way: Way) -> None:
    async with raw_server(_leave) as url:
        pass
    with pytest.raises(HandshakeRejected, match=r"^/ws answered nothing: ConnectionRefusedError"):
        await way(client(), url.replace("http", "https"))


async def _leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
