"""Forwards one HTTP request to an instance and streams the answer back, unchanged."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import SimpleNamespace

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from .trace import HOP_BY_HOP, TraceContext, forwarded_headers

MALFORMED = (
    "The request failed because either the HTTP response was malformed or connection to the instance had an "
    "error. Additional troubleshooting documentation can be found at: "
    "https://cloud.google.com/run/docs/troubleshooting#malformed-response-or-connection-error"
)
_NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class NotListening(Exception):
    """Nobody listens on the instance's port: nothing of the request was sent."""


@dataclass(kw_only=True)
class Exchange:
    """What is known of a request so far.

    Attributes:
        status: 0 until an answer has begun.
        sent: Whether an instance may have seen any of it, where it is no WebSocket.
        note: What the platform has to say about it in the log.
        on_established: Called once the instance's answer has begun.
    """

    status: int = 0
    sent: bool = False
    request_bytes: int = 0
    response_bytes: int = 0
    instance_id: str = ""
    note: str = ""
    on_established: Callable[[], None] | None = None

    def begin(self, status: int) -> None:
        """Note that the instance's answer has begun."""
        self.status = status
        if self.on_established:
            self.on_established()


def open_session() -> aiohttp.ClientSession:
    """Open a pool of connections to instances, which adds and interprets nothing."""
    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(_note_sent)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        trace_configs=[tracing],
    )


async def forward_http(
    session: aiohttp.ClientSession,
    request: web.BaseRequest,
    port: int,
    trace: TraceContext,
    exchange: Exchange,
) -> web.StreamResponse:
    """Send the request on and answer with what the instance says; 503 when it says nothing.

    Raises:
        NotListening: If the instance could not be connected to.
    """
    url = URL(f"http://127.0.0.1:{port}{request.raw_path}", encoded=True)
    body = _counted(request, exchange) if request.can_read_body else None
    try:
        async with session.request(
            request.method,
            url,
            headers=forwarded_headers(request, trace),
            data=body,
            allow_redirects=False,
            skip_auto_headers=_NOT_ADDED,
            trace_request_ctx=exchange,
        ) as answer:
            return await _stream_back(request, answer, exchange)
    except (aiohttp.ClientError, ConnectionError) as error:
        # aiohttp sends some requests again when a connection that it kept breaks, so that its last error
        # does not tell whether the first try has arrived.
        if not exchange.sent:
            raise NotListening from error
        return await _broken(request, exchange)


def plain_answer(exchange: Exchange, status: int, text: str) -> web.Response:
    """Answer in the platform's own name."""
    exchange.status = status
    exchange.response_bytes = len(text)
    return web.Response(status=status, text=text)


def no_answer(exchange: Exchange) -> web.Response:
    """Answer for an instance that said nothing."""
    exchange.note = MALFORMED
    return plain_answer(exchange, 503, "Service Unavailable")


async def _note_sent(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _sent: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    exchange: Exchange = context.trace_request_ctx
    exchange.sent = True


async def _counted(request: web.BaseRequest, exchange: Exchange) -> AsyncIterator[bytes]:
    async for chunk in request.content.iter_any():
        exchange.request_bytes += len(chunk)
        yield chunk


async def _stream_back(
    request: web.BaseRequest, answer: aiohttp.ClientResponse, exchange: Exchange
) -> web.StreamResponse:
    kept = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers)
    headers = CIMultiDict((name, value) for name, value in kept if name.lower() not in HOP_BY_HOP)
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    exchange.begin(answer.status)
    await response.prepare(request)
    async for chunk in answer.content.iter_any():
        exchange.response_bytes += len(chunk)
        await response.write(chunk)
    await response.write_eof()
    return response


async def _broken(request: web.BaseRequest, exchange: Exchange) -> web.StreamResponse:
    if exchange.status and request.transport is not None:
        # The answer has begun: the only honest end is to break the client's connection as ours broke.
        exchange.note = MALFORMED
        request.transport.abort()
        return web.Response()
    return no_answer(exchange)
