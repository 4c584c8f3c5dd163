"""Wires the emulator together and runs it: one gRPC address, one HTTP address, one port a service or tag."""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from aiohttp import web

from .autoscaler import Autoscaler
from .bigquery_api import BigQueryApi
from .catalogue import Catalogue
from .clock import NowNs, system_now_ns
from .faults import FaultBoard, LogIntake
from .faults_http import add_fault_routes
from .iam_api import IamApi
from .instance import Patience, Surroundings
from .knative_api import KnativeFace, service_usage
from .log_quota import DEFAULT_PER_MINUTE, ReadQuota
from .log_store import DEFAULT_LIMIT, LogStore
from .logging_api import LoggingApi
from .metric_descriptors import DescriptorsApi
from .metric_store import MetricStore
from .metric_usage import UsageMeter
from .monitoring_api import MonitoringApi, Sampling
from .operations import OperationsApi
from .platform_log import PlatformLog
from .reaper import GRACE_S, Reaper
from .reconciler import Platform
from .rest import RestFace
from .revisions_api import RevisionsApi
from .router import HOST, Router
from .sampler import Sampler
from .services_api import ServicesApi
from .state import RunState
from .status import status_document
from .wire import Api, Method, grpc_handlers

_IDLE_POLL_S = 0.5
_UNLIMITED = -1
_LAG_PERIODS = 2
_MAX_BODY_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the emulator runs; ports of 0 mean any free one.

    Attributes:
        metric_lag_s: How late metrics are seen; None means two sample periods, as 120 s are to the real 60 s.
        log_delay_s: Seconds from a log entry's reception until it can be read.
        log_reads_per_minute: Read quota of each project; 0 for any number.
    """

    sample_period_s: float = 1.0
    metric_lag_s: float | None = None
    idle_timeout_s: float = 1800.0
    patience: Patience = field(default_factory=Patience)
    grpc_port: int = 0
    http_port: int = 0
    seed: int | None = None
    log_limit: int = DEFAULT_LIMIT
    log_delay_s: float = 0.3
    log_reads_per_minute: int = DEFAULT_PER_MINUTE

    @property
    def sampling(self) -> Sampling:
        """When metric points are made and seen."""
        lag_s = _LAG_PERIODS * self.sample_period_s if self.metric_lag_s is None else self.metric_lag_s
        return Sampling(period_s=self.sample_period_s, lag_s=lag_s)


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the emulator answers."""

    grpc: str
    http: str


class Emulator:
    """The local cloud."""

    def __init__(self, settings: Settings, catalogue: Catalogue, now_ns: NowNs = system_now_ns) -> None:
        self._settings = settings
        self._last_touch_s = time.monotonic()
        self._stop = asyncio.Event()
        self._reaper = Reaper()
        self._logs = LogStore(settings.log_limit)
        self._metrics = MetricStore(now_ns())
        self._state = RunState(now_ns=now_ns)
        self._faults = FaultBoard(lambda: [*self.methods(), *BigQueryApi.methods()], time.monotonic)
        self._bigquery = BigQueryApi(self._logs, self._before)
        intake = LogIntake(self._logs, self._faults, settings.log_delay_s)
        quota = ReadQuota(settings.log_reads_per_minute, time.monotonic)
        log = PlatformLog(intake, now_ns)
        usage = UsageMeter(self._metrics)
        self._router = Router(log, usage, self._faults, self._touch)
        operations = OperationsApi()
        self._services = ServicesApi(
            Platform(
                state=self._state,
                catalogue=catalogue,
                surroundings=Surroundings(log=log, reaper=self._reaper, patience=settings.patience),
                log=log,
                metrics=self._metrics,
                router=self._router,
                rng=random.Random(settings.seed),
            ),
            operations,
        )
        self._apis: list[Api] = [
            self._services,
            RevisionsApi(self._state, operations),
            operations,
            IamApi(self._state, self._faults.lacks),
            LoggingApi(self._logs, intake, quota, now_ns),
            MonitoringApi(self._metrics, settings.sampling, now_ns),
            DescriptorsApi(self._metrics, settings.sampling),
        ]
        self._sampler = Sampler(self._state, self._metrics, usage, now_ns)
        self._autoscaler = Autoscaler(self._state)

    @contextlib.asynccontextmanager
    async def running(self) -> Any:
        """Serve while the block lasts, then end every revision process; yields the `Addresses`."""
        grpc_server, grpc_address = await self._start_grpc()
        http_runner, http_address = await self._start_http()
        sampling = asyncio.create_task(self._sampler.run(self._settings.sample_period_s))
        scaling = asyncio.create_task(self._autoscaler.run())
        try:
            yield Addresses(grpc=grpc_address, http=http_address)
        finally:
            sampling.cancel()
            scaling.cancel()
            await self._services.close(GRACE_S)
            await self._router.close()
            await grpc_server.stop(grace=0.2)
            await http_runner.cleanup()
            self._reaper.close()

    async def until_stopped(self) -> str:
        """Wait for SIGTERM, SIGINT or the idle timeout; return which it was."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        while not self._stop.is_set():
            if self._idle_s() > self._settings.idle_timeout_s:
                return f"idle for {self._settings.idle_timeout_s:g} s"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _IDLE_POLL_S)
        return "told to stop"

    def _touch(self) -> None:
        self._last_touch_s = time.monotonic()

    def _idle_s(self) -> float:
        return 0.0 if self._router.under_way else time.monotonic() - self._last_touch_s

    async def _before(self, method: Method) -> None:
        self._touch()
        await self._faults.before_call(method)

    def methods(self) -> list[Method]:
        """Return the table of all API methods."""
        return [method for api in self._apis for method in api.methods()]

    async def _start_grpc(self) -> tuple[Any, str]:
        server = grpc.aio.server(
            options=[("grpc.max_send_message_length", _UNLIMITED), ("grpc.so_reuseport", 0)]
        )
        handlers = grpc_handlers(self.methods(), self._before, self._faults.stream_end_s)
        server.add_generic_rpc_handlers(tuple(handlers))
        port = server.add_insecure_port(f"{HOST}:{self._settings.grpc_port}")
        await server.start()
        return server, f"{HOST}:{port}"

    async def _start_http(self) -> tuple[web.AppRunner, str]:
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/status", self._status)
        add_fault_routes(app, self._faults)
        self._bigquery.add_routes(app)
        app.router.add_get("/v1/projects/{project}/services/{api}", service_usage)
        app.router.add_route("*", "/{path:.*}", self._api_handler())
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, HOST, self._settings.http_port).start()
        return runner, f"http://{HOST}:{runner.addresses[0][1]}"

    def _api_handler(self) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        knative = KnativeFace(self._state, self.methods(), self._before)
        rest = RestFace(self.methods(), self._before)

        async def handle(request: web.Request) -> web.StreamResponse:
            answer = knative.find(request)
            return await (answer() if answer else rest.handle(request))

        return handle

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(status_document(self._state, self._logs))
