"""Waiting for coroutines with and without a running loop."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runbook_lib.steps.waiting import run_to_end

ROOT = Path(__file__).resolve().parents[2]


async def seven() -> int:
    """Return 7 after a turn of the loop."""
    await asyncio.sleep(0)
    return 7


async def fail() -> int:
    """Raise."""
    await asyncio.sleep(0)
    raise LookupError("not there")


def test_a_coroutine_runs_to_its_result_or_error_without_a_loop() -> None:
    assert run_to_end(seven()) == 7
    with pytest.raises(LookupError, match="not there"):
        run_to_end(fail())


async def test_a_coroutine_runs_to_its_result_or_error_inside_a_running_loop() -> None:
    assert run_to_end(seven()) == 7
    with pytest.raises(LookupError, match="not there"):
        run_to_end(fail())


INTERRUPTED = """
import asyncio
from runbook_lib.steps.waiting import run_to_end

async def work():
    try:
        print("working", flush=True)
        await asyncio.sleep(600)
    finally:
        print("cleaned up", flush=True)

async def cell():
    run_to_end(work())

loop = asyncio.new_event_loop()  # asyncio.run would handle the signal itself; a kernel does not
try:
    loop.run_until_complete(cell())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_an_interrupt_cancels_the_work_and_lets_it_clean_up() -> None:
    command = [sys.executable, "-c", INTERRUPTED]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "working\n"
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert output == "cleaned up\ninterrupted\n"
