"""Opens a port for each service and tag and sends what arrives to an instance of the chosen revision."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from .disturbance import Disturbance, Stream
from .faults import FaultBoard
from .http_proxy import Exchange, NotListening, forward_http, no_answer, open_session, plain_answer
from .instance import Instance
from .metric_usage import Place, UsageMeter
from .names import RevisionId
from .platform_log import PlatformLog, RequestRecord
from .runtime import NoRoom, NotStartable, Pick, RevisionRuntime
from .trace import TraceContext, read_trace
from .websocket_tunnel import is_upgrade, tunnel

CLIENT_CLOSED_REQUEST = 499
HOST = "127.0.0.1"
_INSTANCES_ASKED = 2
_LAST_BREATH_S = 1.0
# What Cloud Run's request log says, in its own words: users search for these sentences.
NOT_STARTED = "The request failed because the instance could not start successfully."
NO_INSTANCE = (
    "The request was aborted because there was no available instance. Additional troubleshooting "
    "documentation can be found at: https://cloud.google.com/run/docs/troubleshooting#abort-request"
)
OUT_OF_MEMORY = (
    "While handling this request, the container instance was found to be using too much memory and was "
    "terminated. This is likely to cause a new container instance to be used for the next request to this "
    "revision. If you see this message frequently, you may have a memory leak in your code or may need more "
    "memory. Consider creating a new revision with more memory."
)
TIMED_OUT = (
    "The request has been terminated because it has reached the maximum request timeout. To change this "
    "limit, see https://cloud.google.com/run/docs/configuring/request-timeout"
)


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

    def __init__(
        self, log: PlatformLog, usage: UsageMeter, faults: FaultBoard, touch: Callable[[], None]
    ) -> None:
        self._log = log
        self._usage = usage
        self._disturbance = Disturbance(faults)
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
        stream = Stream(revision=runtime.id, transport=request.transport)
        exchange.on_established = lambda: self._disturbance.opened(stream)
        try:
            # The time limit includes the wait for an instance, as the container contract says.
            async with asyncio.timeout(runtime.request_timeout_s):
                return await self._ask(request, runtime, trace, exchange)
        except NotStartable:
            exchange.note = NOT_STARTED
            return plain_answer(exchange, 503, "Service Unavailable")
        except NoRoom:
            exchange.note = NO_INSTANCE
            return plain_answer(exchange, 429, "Rate exceeded.")
        except TimeoutError:
            return await _timed_out(request, exchange)
        finally:
            self._disturbance.closed(stream)

    async def _ask(
        self, request: web.BaseRequest, runtime: RevisionRuntime, trace: TraceContext, exchange: Exchange
    ) -> web.StreamResponse:
        """Ask an instance; one more if the first is found to have ended before anything was sent to it."""
        for _ in range(_INSTANCES_ASKED):
            async with runtime.place() as instance:
                self._disturbance.reached(runtime.id, instance)
                place = Place(revision=runtime.id, container=runtime.container, instance_id=instance.id)
                try:
                    with self._usage.busy(place):
                        return await self._exchange(request, instance, trace, exchange)
                except NotListening:
                    if not await instance.ends_within(_LAST_BREATH_S):
                        break
        return no_answer(exchange)

    async def _exchange(
        self, request: web.BaseRequest, instance: Instance, trace: TraceContext, exchange: Exchange
    ) -> web.StreamResponse:
        exchange.instance_id = instance.id
        if is_upgrade(request):
            answer = await tunnel(request, instance.port, trace, exchange)
        else:
            answer = await forward_http(self._client(), request, instance.port, trace, exchange)
        if exchange.note and instance.out_of_memory:
            exchange.note += f"\n{OUT_OF_MEMORY}"
        return answer

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session()
        return self._session

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
    exchange.note = TIMED_OUT
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
