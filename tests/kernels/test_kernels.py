"""Kernels are processes of their own, warm or not, and none of them outlives what it was started for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_core.paths import jupyter_runtime_dir
from jupyter_core.utils import ensure_event_loop
from patience import eventually

from runbook_lib.kernels.forking import SWITCH, shared_server
from runbook_lib.kernels.manager import WarmKernelManager
from runbook_lib.kernels.ready import ReadyKernel, ReadyKernels

WHO = "import os, sys; print([os.getpid(), os.getppid(), os.getcwd(), dict(os.environ)])"
COLD = {**os.environ, SWITCH: "no"}


async def answer(client: Any, code: str) -> str:
    """Return what a kernel prints for `code`, or the name of its error."""
    client.execute(code)
    while True:
        message = await client.get_iopub_msg(timeout=60)
        if message["msg_type"] in ("stream", "error"):
            return str(message["content"].get("text") or message["content"]["ename"])


async def facts(client: Any) -> tuple[int, int, str, dict[str, str]]:
    """Return process, parent, folder and environment of a kernel."""
    return tuple(eval(await answer(client, WHO)))  # type: ignore[return-value]  # noqa: S307 (it is ours)


@asynccontextmanager
async def kernel(**start: Any) -> AsyncIterator[ReadyKernel]:
    """Run a kernel."""
    manager = WarmKernelManager(kernel_name="python3")
    await manager.start_kernel(**start)
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    ready = ReadyKernel(manager=manager, client=client)
    try:
        yield ready
    finally:
        await ready.end()


def is_running(pid: int) -> bool:
    """Say whether a process lives; one that nobody has buried yet does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("env", [dict(os.environ), COLD], ids=["forked", "by themselves"])
async def test_two_kernels_started_in_one_folder_each_answer_their_own_client_and_share_nothing(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with kernel(env=env | {"NUMBER": "0"}) as one, kernel(env=env | {"NUMBER": "1"}) as other:
        seen = [await facts(each.client) for each in (one, other)]
        assert [environment["NUMBER"] for *_, environment in seen] == ["0", "1"]
        assert {folder for _, _, folder, _ in seen} == {str(tmp_path)}
        assert seen[0][0] != seen[1][0]
        forked = SWITCH not in env
        assert {parent == os.getpid() for _, parent, _, _ in seen} == {not forked}
        kernels_own = {"JPY_PARENT_PID", "JPY_SESSION_NAME", "MPLBACKEND", "PYDEVD_USE_FRAME_EVAL"}
        changed = {name for name, _ in seen[0][3].items() ^ (env | {"NUMBER": "0"}).items()}
        assert changed <= kernels_own | {
            "TERM",
            "CLICOLOR",
            "FORCE_COLOR",
            "CLICOLOR_FORCE",
            "PAGER",
            "GIT_PAGER",
        }
        await answer(one.client, "secret = 1; print(secret)")
        assert await answer(other.client, "print(secret)") == "NameError"
        places = [Path(each.manager.ip) for each in (one, other)]
        assert all(place.parent == Path(jupyter_runtime_dir()) for place in places)
    assert list(tmp_path.iterdir()) == []
    assert not [left for place in places for left in place.parent.glob(f"{place.name}*")]
    assert not any(is_running(pid) for pid, *_ in seen)


async def test_forked_kernels_draw_other_random_numbers() -> None:
    draw = "import random, numpy; print(random.random(), numpy.random.random())"
    async with kernel() as one, kernel() as other:
        first, second = [(await answer(each.client, draw)).split() for each in (one, other)]
    assert first[0] != second[0]
    assert first[1] != second[1]


async def test_a_forked_kernel_can_be_interrupted() -> None:
    async with kernel() as one:
        one.client.execute("print('asleep', flush=True); import time; time.sleep(60)", stop_on_error=False)
        while (await one.client.get_iopub_msg(timeout=60))["msg_type"] != "stream":
            pass
        await one.manager.interrupt_kernel()
        while (message := await one.client.get_iopub_msg(timeout=60))["msg_type"] != "error":
            pass
        assert message["content"]["ename"] == "KeyboardInterrupt"
        assert await answer(one.client, "print('awake')") == "awake\n"


CLEANS_UP = """
import time
try:
    print("asleep", flush=True)
    time.sleep(60)
finally:
    open("cleaned-up", "w").close()
"""
RUNNER = """
import asyncio, time
from runbook_lib.kernels.forking import shared_server
from test_kernels import CLEANS_UP, answer, kernel

async def main():
    async with kernel() as one:
        await answer(one.client, CLEANS_UP)
        print(one.manager.provisioner.pid, flush=True)
        time.sleep(60)

asyncio.run(main())
"""


def test_kernels_of_a_runner_that_is_killed_are_interrupted_and_leave_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUNNER]
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    env = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout
        pid = int(runner.stdout.readline())
        server = psutil.Process(pid).ppid()
        assert server != runner.pid
        runner.kill()
    eventually(lambda: not is_running(pid) and not is_running(server))
    assert (tmp_path / "cleaned-up").exists()


def test_a_kernel_that_is_kept_ready_is_given_away_once() -> None:
    with ReadyKernels() as kernels:
        assert kernels.take() is None
        kernels.prepare("python3")
        kernels.prepare("python3")
        first = kernels.take()
        assert first is not None
        assert kernels.take() is None
        kernels.prepare("python3")
        second = ensure_event_loop().run_until_complete(kernels._next)
        pids = [each.manager.provisioner.pid for each in (first, second)]
        assert all(is_running(pid) for pid in pids)
        ensure_event_loop().run_until_complete(first.end())
    assert not any(is_running(pid) for pid in pids)


def test_a_kernel_that_cannot_be_made_ready_is_not_given_away() -> None:
    with ReadyKernels() as kernels:
        kernels.prepare("no-such-kernel")
        assert kernels.take() is None


async def test_a_kernel_whose_fork_server_dies_ends_and_the_next_one_starts_by_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    try:
        async with kernel() as one:
            pid, server, *_ = await facts(one.client)
            psutil.Process(server).kill()
            eventually(lambda: not is_running(pid))
        async with kernel() as other:
            assert (await facts(other.client))[1] == os.getpid()
        assert "a kernel starts by itself, which takes longer: " in caplog.text
    finally:
        shared_server().end()
        shared_server.cache_clear()
