"""Keep one kernel ready, so that a notebook finds it waiting."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME
from jupyter_core.utils import ensure_event_loop

from runbook_lib.kernels.forking import can_fork, shared_server
from runbook_lib.kernels.manager import WarmKernelManager

_READY_WITHIN_S = 120
_NO_HISTORY = "--HistoryManager.hist_file=:memory:"


@dataclass(frozen=True, kw_only=True)
class ReadyKernel:
    """A kernel nobody has used yet, and the client that has seen it answer."""

    manager: WarmKernelManager
    client: AsyncKernelClient

    async def end(self) -> None:
        """Kill it and remove what it leaves."""
        self.client.stop_channels()
        await self.manager.shutdown_kernel(now=True)


class ReadyKernels:
    """Starts the next kernel while a notebook runs; each kernel is given away once.

    The start goes on whenever this thread's event loop runs, and nbclient runs it while a cell works. Among
    many runs no kernel waits: it would take a sixth of a run's memory, and no time is lost without it, since
    other runs go on meanwhile.
    """

    def __init__(self) -> None:
        self._next: asyncio.Task[ReadyKernel] | None = None

    def __enter__(self) -> ReadyKernels:
        return self

    def __exit__(self, *_: object) -> None:
        kernel = self.take()
        if kernel:
            ensure_event_loop().run_until_complete(kernel.end())

    def launch(self, kernel_name: str = NATIVE_KERNEL_NAME) -> None:
        """Return as soon as a first kernel's process is there: it starts while this thread goes on."""
        with suppress(Exception):  # as in `take`
            launched = ensure_event_loop().run_until_complete(_launched(kernel_name))
            self._next = ensure_event_loop().create_task(_answering(launched))

    def prepare(self, kernel_name: str) -> None:
        """Begin to start a kernel in the working folder, if none is being started already."""
        if self._next is None and not _among_many_runs():
            self._next = ensure_event_loop().create_task(_started(kernel_name))

    def take(self) -> ReadyKernel | None:
        """Return the kernel when it is ready; None if there is none, or it did not become ready."""
        preparing, self._next = self._next, None
        with suppress(Exception):  # of any kind: the notebook's own kernel will then say what is wrong
            return ensure_event_loop().run_until_complete(preparing) if preparing else None
        return None


def _among_many_runs() -> bool:
    return can_fork(os.environ) and shared_server().shared


async def _started(kernel_name: str) -> ReadyKernel:
    return await _answering(await _launched(kernel_name))


async def _launched(kernel_name: str) -> WarmKernelManager:
    manager = WarmKernelManager(kernel_name=kernel_name)
    await manager.start_kernel(extra_arguments=[_NO_HISTORY])
    return manager


async def _answering(manager: WarmKernelManager) -> ReadyKernel:
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=_READY_WITHIN_S)
    except RuntimeError:
        await ReadyKernel(manager=manager, client=client).end()
        raise
    client.allow_stdin = False
    return ReadyKernel(manager=manager, client=client)
