"""One container instance: a process group that is started, probed, listened to and ended.

Source: https://cloud.google.com/run/docs/container-contract#lifecycle
"""

import asyncio
import contextlib
import math
import os
import random
import signal
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .container import Container, Probe
from .names import RevisionId
from .output import OutputPipe
from .platform_log import STDERR, STDOUT, PlatformLog
from .probing import Prober
from .reaper import GRACE_S, Reaper, kill_group

_PORTS = (20_000, 32_000)
_LAST_WORDS_S = 2.0
_MIB = 1024 * 1024


def memory_exceeded(limit_bytes: float, used_bytes: float) -> str:
    """Say in Cloud Run's words that more memory was used than allowed.

    In whole MiB, limit rounded down and use up: what is just above its limit never reads as within it.

    Source: https://cloud.google.com/run/docs/configuring/services/memory-limits
    """
    limit_mib, used_mib = math.floor(limit_bytes / _MIB), math.ceil(used_bytes / _MIB)
    return (
        f"Memory limit of {limit_mib} MiB exceeded with {used_mib} MiB used. Consider increasing the memory "
        "limit, see https://cloud.google.com/run/docs/configuring/memory-limits"
    )


class StartFailed(Exception):
    """The process ended, or did not answer its probe in time."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long things may last before the platform acts.

    Attributes:
        idle_instance_s: Time without a request after which an instance ends; on Cloud Run up to 15 minutes.
        unreached_instance_s: The same where neither traffic nor a tag leads to the revision. Cloud Run does
            not tell the two apart, but one machine that rehearses many revisions cannot keep them all; this
            long, so that the tag which follows a deployment still finds its candidate warm.
        pending_s: Least time for which a request waits when every instance is full.
    """

    idle_instance_s: float = 900.0
    unreached_instance_s: float = 10.0
    pending_s: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What an instance needs from the emulator."""

    log: PlatformLog
    reaper: Reaper
    patience: Patience


class Instance:
    """One process of a revision.

    Attributes:
        id: Instance id as it appears in log labels.
        port: Port that the process was told to listen on.
        active: Requests and connections under way.
        last_active_s: When the last of them began or ended, on the monotonic clock.
        out_of_memory: Whether it was ended because it used more memory than it may.
    """

    def __init__(self, revision: RevisionId, container: Container, surroundings: Surroundings) -> None:
        self.id = uuid.uuid4().hex
        self.port = _free_port()
        self.active = 0
        self.last_active_s = time.monotonic()
        self.out_of_memory = False
        self._revision = revision
        self._container = container
        self._log = surroundings.log
        self._reaper = surroundings.reaper
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._stopping = False
        self._condemned = False

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
        return self.alive and not self._stopping and not self._condemned

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
        self._system(self._prober(self._container.startup).success_text(attempts))
        self._watch_liveness(watcher)
        return time.perf_counter() - began

    def take(self) -> None:
        """Count a request or connection that begins."""
        self.active += 1
        self.last_active_s = time.monotonic()

    def release(self) -> None:
        """Count a request or connection that has ended."""
        self.active -= 1
        self.last_active_s = time.monotonic()

    async def ends_within(self, seconds: float) -> bool:
        """Say whether its process has ended, or does in this time.

        Sockets are closed before the end of their process can be seen: who meets a closed port asks here.
        """
        if self._process is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), seconds)
        return not self.alive

    def kill(self) -> None:
        """End the whole process group at once, with whatever it is serving."""
        if self.alive and self.pid is not None:
            self._condemned = True
            kill_group(self.pid)

    def kill_for_memory(self, used_bytes: float) -> None:
        """End it for using more memory than its limit."""
        if not self.accepting:
            return
        self._system(memory_exceeded(self._container.memory_limit_bytes, used_bytes), "ERROR")
        self.out_of_memory = True
        self.kill()

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
        prober = self._prober(self._container.startup)
        probing = asyncio.create_task(prober.attempts_until_success())
        await asyncio.wait([probing, watcher], return_when=asyncio.FIRST_COMPLETED)
        exited = not probing.done()
        probing.cancel()
        attempts = None if exited else probing.result()
        if attempts is None:
            failures = 1 if exited else self._container.startup.failure_threshold
            raise StartFailed(prober.failure_text(failures, "The instance was not started."))
        return attempts

    def _watch_liveness(self, watcher: asyncio.Task[None]) -> None:
        if self._container.liveness is not None:
            probing = asyncio.create_task(self._kill_when_not_live(self._prober(self._container.liveness)))
            watcher.add_done_callback(lambda _: probing.cancel())

    async def _kill_when_not_live(self, prober: Prober) -> None:
        """SIGKILL at once, as documented for this probe alone: requests under way end with 503."""
        await prober.until_failure()
        failures = self._container.liveness.failure_threshold if self._container.liveness else 0
        if self.accepting:
            self._system(prober.failure_text(failures, "The instance has been shut down."), "ERROR")
            self.kill()

    def _prober(self, probe: Probe) -> Prober:
        subject = f'container "{self._revision.service}-1" on port {self._container.port}'
        return Prober(probe, self.port, subject)

    def _system(self, text: str, severity: str = "INFO") -> None:
        self._log.system(self._revision, text, severity, self.id)


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
