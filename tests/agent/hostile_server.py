"""Serve what no service should: each act on a port of its own, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import struct
import sys
from collections.abc import Awaitable, Callable

from websockets.utils import accept_key

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Act = Callable[[Reader, Writer], Awaitable[None]]

TEXT, BINARY, CLOSE, PING, CONTINUATION = 1, 2, 8, 9, 0
GREETING = json.dumps({"type": "connection_ready", "data": {"user_id": "u1", "session_id": "s1"}})
MEGABYTE = 2**20


def frame(payload: bytes, opcode: int = TEXT, *, last: bool = True, claims: int | None = None) -> bytes:
    """Return a server's frame; `claims` is a length that it gives instead of its own."""
    size = len(payload) if claims is None else claims
    head = bytes([(0x80 if last else 0) | opcode])
    if size < 126:
        return head + bytes([size]) + payload
    if size < 65536:
        return head + b"\x7e" + struct.pack("!H", size) + payload
    return head + b"\x7f" + struct.pack("!Q", size) + payload


async def accept(reader: Reader, writer: Writer, more: bytes = b"") -> None:
    """Answer a handshake as a server should; `more` is a header besides."""
    request = await reader.readuntil(b"\r\n\r\n")
    key = next(
        line.split(b":")[1].strip()
        for line in request.splitlines()
        if line.lower().startswith(b"sec-websocket-key")
    )
    accepted = accept_key(key.decode()).encode()
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: jwt-auth\r\nSec-WebSocket-Accept: "
        + accepted
        + b"\r\n"
        + (more and more + b"\r\n")
        + b"\r\n"
    )


def before_the_handshake(answer: bytes, *, stay: bool = False) -> Act:
    """Answer the request with these bytes, then leave, or stay and say nothing more."""

    async def act(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if stay:
            await reader.read()

    return act


def endless(head: bytes, chunk: bytes, pause_s: float = 0.0) -> Act:
    """Answer the request with a head, and then with the same chunk for ever."""

    async def act(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        while True:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return act


def after_the_message(*chunks: bytes, times: int = 1, pause_s: float = 0.0, stay: bool = True) -> Act:
    """Greet, take a message, and answer it with these bytes, over and over."""

    async def act(reader: Reader, writer: Writer) -> None:
        await accept(reader, writer)
        writer.write(frame(GREETING.encode()))
        await reader.read(65536)
        for _ in range(times):
            for chunk in chunks:
                writer.write(chunk)
                await writer.drain()
                if pause_s:
                    await asyncio.sleep(pause_s)
        if stay:
            await reader.read(-1)

    return act


async def _silence(reader: Reader, writer: Writer) -> None:
    await reader.read(-1)


async def _close(reader: Reader, writer: Writer) -> None:
    return


async def _reset(reader: Reader, writer: Writer) -> None:
    await accept(reader, writer)
    writer.write(frame(GREETING.encode()))
    await reader.read(65536)
    writer.write(frame(b'{"type": ')[:5])
    await writer.drain()
    writer.transport.abort()


async def _deaf(reader: Reader, writer: Writer) -> None:
    await accept(reader, writer)
    writer.write(frame(GREETING.encode()))
    await asyncio.sleep(3600)  # reads nothing, not even the close


_EVENT = frame(json.dumps({"type": "agent_thinking", "data": {}, "run_id": "r"}).encode())
_OK = b"HTTP/1.1 200 OK\r\n"
ACTS: dict[str, Act] = {
    # instead of a handshake
    "no http": before_the_handshake(b"\x00\xff\x00 not http at all\r\n\r\n" * 10),
    "closes at once": _close,
    "never answers": _silence,
    "redirect": before_the_handshake(
        b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:9/ws\r\nContent-Length: 0\r\n\r\n"
    ),
    "redirect to itself": before_the_handshake(
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /ws\r\nContent-Length: 0\r\n\r\n"
    ),
    "wrong accept key": before_the_handshake(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: jwt-auth\r\nSec-WebSocket-Accept: bm90IHRoZSBrZXkhISEhISEhISE=\r\n\r\n"
    ),
    "a page of 100 MB": endless(_OK + b"Content-Length: 104857600\r\n\r\n", b"x" * 65536),
    "headers without end": endless(_OK, b"X-More: " + b"x" * 1000 + b"\r\n"),
    "a header that drips": endless(b"HTTP/1.1 101 Switching", b" ", 0.05),
    # instead of an answer
    "random bytes": after_the_message(bytes(range(255, 127, -1))),
    "a reserved opcode": after_the_message(frame(b"{}", 3)),
    "a masked frame": after_the_message(b"\x81\x82\x00\x00\x00\x00{}"),
    "compressed without leave": after_the_message(bytes([0xC1]) + frame(b"{}")[1:]),
    "a continuation of nothing": after_the_message(frame(b"{}", CONTINUATION)),
    "not utf-8": after_the_message(frame(b"\xff\xfe\xfd")),
    "a close code that none may send": after_the_message(frame(struct.pack("!H", 1005), CLOSE)),
    "a message of 100 MB": after_the_message(
        frame(b"", claims=100 * MEGABYTE), *[b"x" * MEGABYTE] * 100
    ),
    "100 MB in fragments": after_the_message(
        frame(b"x" * MEGABYTE, last=False), *[frame(b"x" * MEGABYTE, CONTINUATION, last=False)] * 99
    ),
    "fragments without end": after_the_message(
        frame(b"x", last=False), *[frame(b"x", CONTINUATION, last=False) * 1000] * 1500
    ),
    "a frame that drips": after_the_message(frame(b"", claims=60000), *[b" "] * 1000, pause_s=0.02),
    "pings without end": after_the_message(frame(b"ping", PING) * 100, times=100_000, pause_s=0.001),
    "silence after the message": after_the_message(),
    "closes after the message": after_the_message(stay=False),
    "resets in the middle of a frame": _reset,
    "does not read the close": _deaf,
    "no json": after_the_message(frame(b"nonsense")),
    "json that is no object": after_the_message(frame(b"[1, 2, 3]")),
    "json that is too deep": after_the_message(frame(b"[" * 100_000)),
    "a number of 10,000 digits": after_the_message(frame(b'{"type": ' + b"9" * 10_000 + b"}")),
    "empty messages without end": after_the_message(frame(b"") * 10, times=100_000),
    "10,000 events": after_the_message(_EVENT * 100, times=100),
    "binary events": after_the_message(frame(b"\x00\x01\x02", BINARY)),
}  # fmt: skip


async def _serve() -> None:
    ports = {}
    for name, act in ACTS.items():

        async def handle(reader: Reader, writer: Writer, act: Act = act) -> None:
            try:
                await act(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        ports[name] = server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.sleep(300)  # whoever started it ends it sooner


if __name__ == "__main__":
    asyncio.run(_serve())
