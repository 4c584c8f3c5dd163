"""Start the sample service as a real process on a free port, and speak to it as a client."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20.0  # for things that must happen; never waited out when they do


@dataclass(kw_only=True)
class SampleProcess:
    """One running service and every line that it has logged."""

    popen: subprocess.Popen[str]
    log: list[dict[str, Any]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    ended: bool = False

    def entry(self, message: str) -> dict[str, Any] | None:
        """Wait for a log line and return it; None when the process ends without it."""
        with self.changed:
            found = self.changed.wait_for(lambda: self._seen(message) or self.ended, PATIENCE_S)
        assert found, f"neither {message!r} nor the end came within {PATIENCE_S} s; log: {self.log}"
        return self._seen(message)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        listening = self.entry("listening")
        assert listening is not None, f"the service ended before it listened; log: {self.log}"
        return int(listening["port"])

    @property
    def url(self) -> str:
        """Its address for HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def _seen(self, message: str) -> dict[str, Any] | None:
        return next((entry for entry in self.log if entry["message"] == message), None)

    def read_log(self) -> None:
        """Collect log lines until the process closes its stdout."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            with self.changed:
                self.log.append(json.loads(line))  # a line that is not JSON ends the thread and the test
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()


@contextmanager
def running(variant: str, **environ: str) -> Iterator[SampleProcess]:
    """Run one variant for a while, on a port that the system chooses."""
    command = [sys.executable, "-m", "runbook_lib.emulator.sample_service", "--variant", variant]
    env = {**os.environ, "PORT": "0", "K_REVISION": "backend-service-00001-abc", **environ}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as popen:
        process = SampleProcess(popen=popen)
        reader = threading.Thread(target=process.read_log)
        reader.start()
        try:
            yield process
        finally:
            popen.kill()
            reader.join()


def login(client: httpx.Client | httpx.AsyncClient, user: str, **more: object) -> Any:
    """Ask for a token."""
    return client.post("/auth/login", json={"user": user, **more})


def subprotocols(token: str) -> list[str]:
    """Return a token as the two subprotocols that carry it."""
    return ["jwt-auth", "jwt." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")]


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody who is logged in at a service."""

    user_id: str
    token: str
    url: str

    def socket(self) -> connect:
        """Return a WebSocket to open."""
        offered = subprotocols(self.token)
        uri = self.url.replace("http", "ws") + "/ws"
        return connect(uri, subprotocols=offered, compression=None, proxy=None, open_timeout=PATIENCE_S)


async def logged_in(url: str, name: str) -> User:
    """Log a test account in."""
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as client:
        body = (await login(client, f"{name}@example.test")).raise_for_status().json()
    return User(user_id=body["user_id"], token=body["access_token"], url=url)


async def receive(socket: ClientConnection, within_s: float = PATIENCE_S) -> dict[str, Any]:
    """Return the next event."""
    async with asyncio.timeout(within_s):
        return dict(json.loads(await socket.recv()))


async def send_chat(socket: ClientConnection, content: str, **data: object) -> None:
    """Send one question."""
    chat = {"content": content, "agent": "triage", "thread_id": None, **data}
    await socket.send(json.dumps({"type": "chat_message", "data": chat}))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back to one question."""

    content: str
    user_id: str
    took_s: float
    complete: bool
    events: list[dict[str, Any]]


async def ask(
    socket: ClientConnection, user: User, content: str, *, within_s: float, **data: object
) -> Answer:
    """Ask, and collect events until the answer ends or the time is up."""
    started_s, events, complete = time.monotonic(), [], False
    await send_chat(socket, content, **data)
    try:
        while not complete:
            events.append(await receive(socket, within_s))
            complete = events[-1]["type"] in ("agent_completed", "agent_error")
    except TimeoutError:
        pass
    took_s = time.monotonic() - started_s
    return Answer(content=content, user_id=user.user_id, took_s=took_s, complete=complete, events=events)
