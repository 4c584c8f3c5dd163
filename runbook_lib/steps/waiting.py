"""Wait for coroutines from plain code, also where a loop is already running, as in a Jupyter kernel."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from runbook_lib.event_loop import new_event_loop

T = TypeVar("T")


def run_to_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` and return its result; an interrupt cancels it first, so that it can clean up."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(coroutine)
    return _run_in_thread(coroutine)


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(coroutine)


def _run_in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = Future()

    async def main() -> T:
        task = asyncio.ensure_future(coroutine)
        started.set_result((asyncio.get_running_loop(), task))
        return await task

    with ThreadPoolExecutor(max_workers=1) as thread:
        result = thread.submit(_run, main())
        try:
            return result.result()
        except KeyboardInterrupt:
            loop, task = started.result()
            if not result.done():
                loop.call_soon_threadsafe(task.cancel)
            raise
