"""Opens a port for each service and tag and sends what arrives to an instance of the chosen revision."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from .http_proxy import Exchange, forward_http, plain_answer
from .instance import Instance
from .metric_usage import Place, UsageMeter
from .names import RevisionId
from .platform_log import PlatformLog, RequestRecord
from .runtime import NotStartable, Pick, RevisionRuntime
from .trace import TraceContext, read_trace
from .websocket_tunnel import is_upgrade, tunnel

CLIENT_CLOSED_REQUEST = 499
HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Listener:
    """An open port.

    Attributes:
        uri: `http://127.0.0.1:PORT`.
    """

    uri: str
    runner: web.ServerRunner

    async def close(self) -> None:
        """Close the port and what is connected to it."""
        await self.runner.cleanup()


class Router:
    """Forwards HTTP and WebSocket traffic, and keeps its log and its figures.

    Attributes:
        under_way: Requests and connections in progress.
    """

    def __init__(self, log: PlatformLog, usage: UsageMeter, touch: Callable[[], None]) -> None:
        self._log = log
        self._usage = usage
        self._touch = touch
        self._session: aiohttp.ClientSession | None = None
        self.under_way = 0

    async def open(self, pick: Pick) -> Listener:
        """Open a port whose requests go where `pick` says."""

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self._handle(request, pick)

        runner = web.ServerRunner(
            web.Server(handle, handler_cancellation=True, access_log=None), shutdown_timeout=0.1
        )
        await runner.setup()
        await web.TCPSite(runner, HOST, 0).start()
        port = runner.addresses[0][1]
        return Listener(uri=f"http://{HOST}:{port}", runner=runner)

    async def close(self) -> None:
        """Close the connections to the instances."""
        if self._session:
            await self._session.close()

    async def _handle(self, request: web.BaseRequest, pick: Pick) -> web.StreamResponse:
        self._touch()
        self.under_way += 1
        try:
            runtime = pick()
            if runtime is None:
                return plain_answer(Exchange(), 404, "No revision of this service has traffic.")
            return await self._serve(request, runtime)
        finally:
            self.under_way -= 1
            self._touch()

    async def _serve(self, request: web.BaseRequest, runtime: RevisionRuntime) -> web.StreamResponse:
        trace, exchange, began = read_trace(request.headers), Exchange(), time.perf_counter()
        try:
            return await self._forward(request, runtime, trace, exchange)
        except asyncio.CancelledError:
            exchange.status = exchange.status or CLIENT_CLOSED_REQUEST
            raise
        finally:
            self._record(request, runtime.id, trace, exchange, time.perf_counter() - began)

    async def _forward(
        self, request: web.BaseRequest, runtime: RevisionRuntime, trace: TraceContext, exchange: Exchange
    ) -> web.StreamResponse:
        try:
            instance = await runtime.instance()
        except NotStartable:
            exchange.note = "The request was aborted because there was no available instance."
            return plain_answer(exchange, 503, "Service Unavailable")
        place = Place(revision=runtime.id, container=runtime.container, instance_id=instance.id)
        with instance.serving(), self._usage.busy(place):
            exchange.instance_id = instance.id
            try:
                async with asyncio.timeout(runtime.request_timeout_s):
                    return await self._exchange(request, instance, trace, exchange)
            except TimeoutError:
                return await _timed_out(request, exchange)

    async def _exchange(
        self, request: web.BaseRequest, instance: Instance, trace: TraceContext, exchange: Exchange
    ) -> web.StreamResponse:
        if is_upgrade(request):
            return await tunnel(request, instance.port, trace, exchange)
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
            )
        return await forward_http(self._session, request, instance.port, trace, exchange)

    def _record(
        self,
        request: web.BaseRequest,
        revision: RevisionId,
        trace: TraceContext,
        exchange: Exchange,
        latency_s: float,
    ) -> None:
        self._usage.request_ended(revision, exchange, latency_s)
        self._log.request(revision, _request_record(request, trace, exchange, latency_s))


async def _timed_out(request: web.BaseRequest, exchange: Exchange) -> web.StreamResponse:
    exchange.note = "The request has been terminated because it has reached the maximum request timeout."
    if exchange.status:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
    return plain_answer(exchange, 504, "upstream request timeout")


def _request_record(
    request: web.BaseRequest, trace: TraceContext, exchange: Exchange, latency_s: float
) -> RequestRecord:
    return RequestRecord(
        method=request.method,
        url=f"http://{request.headers.get('Host', HOST)}{request.raw_path}",
        status=exchange.status,
        latency_s=latency_s,
        request_bytes=exchange.request_bytes,
        response_bytes=exchange.response_bytes,
        user_agent=request.headers.get("User-Agent", ""),
        referer=request.headers.get("Referer", ""),
        remote_ip=request.remote or "",
        server_ip=HOST,
        protocol=f"HTTP/{request.version.major}.{request.version.minor}",
        trace_id=trace.trace_id,
        span_id=trace.span_id,
        instance_id=exchange.instance_id,
        note=exchange.note,
    )
