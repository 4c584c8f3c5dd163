"""Joins a client that asks for an upgrade with an instance, byte for byte, so that nothing is interpreted.

Sub-protocols, extensions, close codes and refused handshakes pass as they are; only headers are added to the
request, and the status line of the answer is read.
"""

import asyncio
import contextlib

from aiohttp import web

from .http_proxy import Exchange, NotListening, no_answer
from .trace import TraceContext, forwarded_headers

_CHUNK = 64 * 1024
_HIGH_WATER = 1024 * 1024
_DRAIN_POLL_S = 0.005
SWITCHING_PROTOCOLS = 101


class _Joined(web.StreamResponse):
    """Stands for an answer that went past aiohttp: there is nothing left to send."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send no head."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Send no end."""


class _ToInstance:
    """Takes what the client sends after its handshake; aiohttp hands it over as to a frame parser."""

    def __init__(self, writer: asyncio.StreamWriter, client: asyncio.Transport, exchange: Exchange) -> None:
        self._writer = writer
        self._client = client
        self._exchange = exchange
        self._draining: asyncio.Task[None] | None = None
        self.closed = asyncio.Event()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._exchange.request_bytes += len(data)
        self._writer.write(data)
        if self._draining is None and self._writer.transport.get_write_buffer_size() > _HIGH_WATER:
            self._client.pause_reading()
            self._draining = asyncio.create_task(self._drain())
        return False, b""

    def feed_eof(self) -> None:
        self.closed.set()

    async def _drain(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()
        self._draining = None
        self._client.resume_reading()


def is_upgrade(request: web.BaseRequest) -> bool:
    """Say whether the client asks to speak WebSocket."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


async def tunnel(
    request: web.BaseRequest, port: int, trace: TraceContext, exchange: Exchange
) -> web.StreamResponse:
    """Carry bytes both ways until either side ends.

    Raises:
        NotListening: If the instance could not be connected to.
    """
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as refusal:
        raise NotListening from refusal
    try:
        return await _join(request, reader, writer, trace, exchange)
    finally:
        writer.close()
        if request.transport is not None:
            request.transport.close()


async def _join(
    request: web.BaseRequest,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    trace: TraceContext,
    exchange: Exchange,
) -> web.StreamResponse:
    writer.write(_handshake(request, trace))
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return no_answer(exchange)
    client = request.transport
    if client is None:
        return _Joined()
    exchange.begin(_status(head))
    client.write(head if exchange.status == SWITCHING_PROTOCOLS else _closing(head))
    to_instance = _ToInstance(writer, client, exchange)
    request.protocol.set_parser(to_instance)  # type: ignore[arg-type]
    await _carry_until_closed(reader, client, to_instance, exchange)
    return _Joined()


async def _carry_until_closed(
    reader: asyncio.StreamReader, client: asyncio.Transport, to_instance: _ToInstance, exchange: Exchange
) -> None:
    to_client = asyncio.create_task(_to_client(reader, client, exchange))
    client_gone = asyncio.create_task(to_instance.closed.wait())
    try:
        await asyncio.wait([to_client, client_gone], return_when=asyncio.FIRST_COMPLETED)
    finally:
        to_client.cancel()
        client_gone.cancel()


async def _to_client(reader: asyncio.StreamReader, client: asyncio.Transport, exchange: Exchange) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            exchange.response_bytes += len(data)
            client.write(data)
            # aiohttp owns the transport's flow-control callbacks, so its buffer is watched from outside.
            while client.get_write_buffer_size() > _HIGH_WATER and not client.is_closing():
                await asyncio.sleep(_DRAIN_POLL_S)


def _handshake(request: web.BaseRequest, trace: TraceContext) -> bytes:
    headers = forwarded_headers(request, trace)
    headers["Connection"] = "Upgrade"
    headers["Upgrade"] = request.headers["Upgrade"]
    lines = [
        f"{request.method} {request.raw_path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _status(head: bytes) -> int:
    words = head.split(b"\r\n", 1)[0].split(b" ")
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 502


def _closing(head: bytes) -> bytes:
    """Tell the client of a refused handshake that this connection ends: no other request can use it."""
    lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n"
