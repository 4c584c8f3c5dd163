"""Asks one container how it is: until it first answers well, or until it no longer does.

Source: https://cloud.google.com/run/docs/configuring/healthchecks
"""

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Mapping

import aiohttp

from .container import Probe

_RETRY_S = 0.02


class Prober:
    """Carries out one probe of one instance.

    Args:
        port: Port that the process listens on.
        subject: Whom the log names, such as `container "backend-1" on port 8080`.
    """

    def __init__(self, probe: Probe, port: int, subject: str) -> None:
        self._probe = probe
        self._port = port
        path = "" if probe.http_path is None else f' path "{probe.http_path}"'
        self._subject = subject + path

    async def attempts_until_success(self) -> int | None:
        """Return the number of the attempt that succeeded, or None when all failed."""
        await asyncio.sleep(self._probe.initial_delay_s)
        for attempt in range(1, self._probe.failure_threshold + 1):
            next_at = time.monotonic() + self._probe.period_s
            if await self._succeeds(self._answers_at_last()):
                return attempt
            if attempt < self._probe.failure_threshold:
                await asyncio.sleep(max(0.0, next_at - time.monotonic()))
        return None

    async def until_failure(self) -> None:
        """Return once the probe has failed as often in a row as the threshold says."""
        await asyncio.sleep(self._probe.initial_delay_s)
        failures = 0
        while True:
            next_at = time.monotonic() + self._probe.period_s
            failures = 0 if await self._succeeds(self._answers()) else failures + 1
            if failures == self._probe.failure_threshold:
                return
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))

    def success_text(self, attempts: int) -> str:
        """Say as Cloud Run does that the probe succeeded."""
        plural = "" if attempts == 1 else "s"
        return f"{self._probe.name} probe succeeded after {attempts} attempt{plural} for {self._subject}."

    def failure_text(self, failures: int, consequence: str) -> str:
        """Say as Cloud Run does that the probe failed, and what came of it."""
        plural = "" if failures == 1 else "s"
        name = self._probe.name
        return f"{name} probe failed {failures} time{plural} consecutively for {self._subject}. {consequence}"

    async def _succeeds(self, attempt: Coroutine[None, None, bool]) -> bool:
        with contextlib.suppress(TimeoutError, OSError, aiohttp.ClientError):
            return await asyncio.wait_for(attempt, self._probe.timeout_s)
        return False

    async def _answers_at_last(self) -> bool:
        """Ask until there is an answer: a port that refuses is not up yet, which is no answer."""
        while True:
            try:
                return await self._answers()
            except (OSError, aiohttp.ClientError):
                await asyncio.sleep(_RETRY_S)

    async def _answers(self) -> bool:
        path = self._probe.http_path
        return await (_tcp(self._port) if path is None else _http(self._port, path, self._probe.http_headers))


async def _tcp(port: int) -> bool:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    return True


async def _http(port: int, path: str, headers: Mapping[str, str]) -> bool:
    url = f"http://127.0.0.1:{port}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers=headers, allow_redirects=False) as answer,
    ):
        return 200 <= answer.status < 400
