"""One container instance: a process group that is started, probed, listened to and ended."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import aiohttp

from .container import Container, StartupProbe
from .names import RevisionId
from .output import OutputPipe
from .platform_log import STDERR, STDOUT, PlatformLog
from .reaper import GRACE_S, Reaper, kill_group

_RETRY_S = 0.02
_PORTS = (20_000, 32_000)
_LAST_WORDS_S = 2.0


class StartFailed(Exception):
    """The process ended, or did not answer its probe in time."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What an instance needs from the emulator."""

    log: PlatformLog
    reaper: Reaper


class Instance:
    """One process of a revision.

    Attributes:
        id: Instance id as it appears in log labels.
        port: Port that the process was told to listen on.
        active: Requests and connections under way.
    """

    def __init__(self, revision: RevisionId, container: Container, surroundings: Surroundings) -> None:
        self.id = uuid.uuid4().hex
        self.port = _free_port()
        self.active = 0
        self.last_active_s = time.monotonic()
        self._revision = revision
        self._container = container
        self._log = surroundings.log
        self._reaper = surroundings.reaper
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._stopping = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def pid(self) -> int | None:
        """Process id, which is also the process group; None before the start."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def accepting(self) -> bool:
        """Whether new requests may be sent to it."""
        return self.alive and not self._stopping

    async def start(self, on_exit: Callable[["Instance"], None]) -> float:
        """Start the process and wait until its probe succeeds; return the time that took in seconds.

        Raises:
            StartFailed: If it never became ready; its process is gone then.
        """
        began = time.perf_counter()
        try:
            watcher = await self._spawn(on_exit)
            attempts = await self._become_ready(watcher)
        except StartFailed as failure:
            self._system(str(failure), "ERROR")
            await self.stop()
            raise
        except asyncio.CancelledError:
            if self.pid is not None:
                kill_group(self.pid)
            raise
        kind = self._container.probe.kind
        self._system(f"{self._probe_name(kind)} succeeded after {attempts} attempt(s) for {self._where()}.")
        return time.perf_counter() - began

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Count a request or connection as active while it lasts."""
        self.active += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.active -= 1
            self.last_active_s = time.monotonic()
            if self.active == 0:
                self._idle.set()

    async def drain(self) -> None:
        """Wait until the last request has ended."""
        await self._idle.wait()

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """End the process as Cloud Run does: SIGTERM, a grace period, SIGKILL."""
        self._stopping = True
        if self._process is None or self._watcher is None:
            return
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(self._watcher), grace_s)
        except TimeoutError:
            kill_group(self._process.pid)
            await self._watcher

    async def _spawn(self, on_exit: Callable[["Instance"], None]) -> asyncio.Task[None]:
        self._system("Starting new instance.")
        outputs = {STDOUT: OutputPipe(), STDERR: OutputPipe()}
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._container.command,
                cwd=self._container.cwd,
                env={**self._container.env, "PORT": str(self.port)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=outputs[STDOUT].child_end,
                stderr=outputs[STDERR].child_end,
                start_new_session=True,
            )
        except OSError as error:
            for output in outputs.values():
                output.abandon()
            raise StartFailed(f"The container's command could not be started: {error}") from error
        self._reaper.watch(self._process.pid)
        self._watcher = asyncio.create_task(self._watch(self._process, outputs, on_exit))
        return self._watcher

    async def _watch(
        self,
        process: asyncio.subprocess.Process,
        outputs: Mapping[str, OutputPipe],
        on_exit: Callable[["Instance"], None],
    ) -> None:
        pumps = []
        for log_id, output in outputs.items():
            os.close(output.child_end)
            pumps.append(asyncio.create_task(output.pump(self._line_taker(log_id))))
        code = await process.wait()
        kill_group(process.pid)
        self._reaper.forget(process.pid)
        _, unfinished = await asyncio.wait(pumps, timeout=_LAST_WORDS_S)
        for pump in unfinished:
            pump.cancel()
        self._note_exit(code)
        on_exit(self)

    def _line_taker(self, log_id: str) -> Callable[[str], None]:
        return lambda line: self._log.container_line(self._revision, self.id, log_id, line)

    def _note_exit(self, code: int) -> None:
        if code < 0 and not self._stopping:
            self._system(f"Container terminated on signal {-code}.", "ERROR")
        elif not self._stopping or code > 0:
            self._system(f"Container called exit({code}).", "WARNING")

    async def _become_ready(self, watcher: asyncio.Task[None]) -> int:
        probing = asyncio.create_task(self._probe(self._container.probe))
        await asyncio.wait([probing, watcher], return_when=asyncio.FIRST_COMPLETED)
        if not probing.done():
            probing.cancel()
            raise StartFailed(self._failure(1, "the container exited"))
        attempts = probing.result()
        if attempts is None:
            raise StartFailed(self._failure(self._container.probe.failure_threshold, "no answer in time"))
        return attempts

    async def _probe(self, probe: StartupProbe) -> int | None:
        """Return the number of the attempt that succeeded, or None."""
        await asyncio.sleep(probe.initial_delay_s)
        for attempt in range(1, probe.failure_threshold + 1):
            next_at = time.monotonic() + probe.period_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(probe.timeout_s):
                    if await self._attempt(probe):
                        return attempt
            if attempt < probe.failure_threshold:
                await asyncio.sleep(max(0.0, next_at - time.monotonic()))
        return None

    async def _attempt(self, probe: StartupProbe) -> bool:
        """Probe until there is an answer: a port that refuses is not up yet, which is no answer."""
        while True:
            try:
                return await (
                    _tcp(self.port) if probe.http_path is None else _http(self.port, probe.http_path)
                )
            except (OSError, aiohttp.ClientError):
                await asyncio.sleep(_RETRY_S)

    def _failure(self, attempts: int, reason: str) -> str:
        name = self._probe_name(self._container.probe.kind)
        return (
            f"{name} failed {attempts} time(s) consecutively for {self._where()} ({reason}). "
            "The instance was not started."
        )

    def _probe_name(self, kind: str) -> str:
        return f"STARTUP {kind} probe"

    def _where(self) -> str:
        path = self._container.probe.http_path
        target = f'container "{self._revision.service}-1" on port {self._container.port}'
        return target if path is None else f'{target} path "{path}"'

    def _system(self, text: str, severity: str = "INFO") -> None:
        self._log.system(self._revision, text, severity, self.id)


async def _tcp(port: int) -> bool:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    return True


async def _http(port: int, path: str) -> bool:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}", allow_redirects=False) as answer,
    ):
        return 200 <= answer.status < 400


def _free_port() -> int:
    """Return a port that nobody listens on.

    Ports that the system itself hands out are avoided: an outgoing connection could take one before the
    container does.
    """
    while True:
        port = random.randrange(*_PORTS)
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
