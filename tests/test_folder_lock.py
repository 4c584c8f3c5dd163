"""One process at a time works on a run folder, and the second is told who does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from small_plan import WritePlan

from runbook_lib.errors import RunRefused
from runbook_lib.folder_lock import RUNNER, here, runner_of, worker_on
from runbook_lib.plan.file import load_plan
from runbook_lib.run_folder import Event, LedgerEntry, RunFolder

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOLDER = """
import sys, time
from pathlib import Path
from runbook_lib import folder_lock
from runbook_lib.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
kernel = folder_lock._lock(folder.path / "evidence")  # whose runner was killed
with kernel if sys.argv[2] == "kernel" else getattr(folder_lock, sys.argv[2])(folder):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path, plan_file: WritePlan) -> RunFolder:
    return RunFolder.create(tmp_path / "outputs", "run-1", load_plan(plan_file()))


def note(folder: RunFolder, event: Event, host: str, pid: int) -> None:
    facts = {"host": host, "pid": str(pid)}
    folder.record(LedgerEntry(time=NOON, event=event, facts=facts))


@contextmanager
def held(folder: RunFolder, how: str) -> Iterator[subprocess.Popen[str]]:
    """Hold a lock in another process."""
    argv = [sys.executable, "-c", HOLDER, str(folder.path), how]
    with subprocess.Popen(argv, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_runner_is_told_which_process_runs_it_and_since_when(folder: RunFolder) -> None:
    with held(folder, "runner_of") as process:
        note(folder, "run started", "laptop", process.pid)
        for way in (runner_of, worker_on):
            with pytest.raises(RunRefused) as refused, way(folder):
                pass
            assert str(refused.value) == (
                f"run-1 is worked on by process {process.pid} on laptop since 2026-03-01 12:00:00 UTC: "
                "wait until that has ended"
            )


def test_a_lock_dies_with_its_process_and_leaves_no_file(folder: RunFolder) -> None:
    before = sorted(folder.path.rglob("*"))
    with held(folder, "runner_of") as process:
        process.kill()
        process.wait()
        with runner_of(folder):
            pass
    assert sorted(folder.path.rglob("*")) == before


def test_a_runner_waits_for_a_kernel_that_its_killed_predecessor_has_left(folder: RunFolder) -> None:
    with held(folder, "kernel") as kernel:
        note(folder, "step started", "laptop", kernel.pid)
        with (
            pytest.raises(RunRefused, match=f"worked on by process {kernel.pid} on laptop"),
            worker_on(folder),
        ):
            pass
        kernel.terminate()
        start_s = time.monotonic()
        with runner_of(folder):
            assert time.monotonic() - start_s < 10


def test_a_step_is_done_within_its_own_run_but_not_twice_at_once(folder: RunFolder) -> None:
    with runner_of(folder):
        folder.record(LedgerEntry(time=NOON, event="run started", facts=here()))
        with (
            worker_on(folder),
            pytest.raises(RunRefused, match="wait until that has ended"),
            worker_on(folder),
        ):
            pass
        with worker_on(folder):
            pass


def test_a_kernel_works_for_the_runner_that_asked_for_it_though_it_descends_from_a_fork_server(
    folder: RunFolder,
) -> None:
    """Of many runs in one call, runner and kernels are forked by the same server."""
    with held(folder, "runner_of") as runner:
        note(folder, "run started", here()["host"], runner.pid)
        for asked_by, code in ((str(runner.pid), 0), ("1", 1), ("", 1)):
            brief = HOLDER.replace("sleep(60)", "sleep(0)")
            kernel = subprocess.run(
                [sys.executable, "-c", brief, str(folder.path), "worker_on"],
                env={**os.environ, RUNNER: asked_by}, capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            assert kernel.returncode == code, kernel.stderr


def test_whom_a_runner_starts_is_told_who_runs_it_and_nobody_after_that(folder: RunFolder) -> None:
    with runner_of(folder):
        assert os.environ[RUNNER] == str(os.getpid())
    assert RUNNER not in os.environ


def test_a_child_that_has_the_lock_from_its_parent_does_not_keep_it(folder: RunFolder) -> None:
    """So is one that another thread starts, until it has become the other program."""
    locked = (folder.path, folder.path / "evidence")
    with worker_on(folder):
        handles = [int(each.name) for each in Path("/proc/self/fd").iterdir() if each.resolve() in locked]
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=handles)
    try:
        assert len(handles) == 2
        with worker_on(folder):
            pass
    finally:
        child.kill()
        child.wait()
