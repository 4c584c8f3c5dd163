"""Let one process at a time work on a run folder; a lock dies with its process, whatever ends that."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from runbook_lib.errors import RunRefused
from runbook_lib.run_folder import Event, LedgerEntry, RunFolder

RUNNER = "RUNBOOK_RUNNER"
"""Variable by which a kernel knows the process that runs it; a forked one does not descend from that."""
_KERNEL_END_S = 10.0
_POLL_S = 0.05
_RUNNERS: tuple[Event, ...] = ("run started", "run resumed")


def here() -> dict[str, str]:
    """Return the facts by which the ledger names this process."""
    return {"host": socket.gethostname(), "pid": str(os.getpid())}


@contextmanager
def runner_of(folder: RunFolder) -> Iterator[None]:
    """Be the only one who runs this run; a kernel of a predecessor that was killed is waited for.

    Raises:
        RunRefused: If somebody else runs it.
    """
    with _lock(folder.path) as ours:
        if not ours:
            raise RunRefused(_refusal(folder))
        with _lock(folder.path / "evidence", _KERNEL_END_S) as quiet:
            if not quiet:
                raise RunRefused(_refusal(folder))
        os.environ[RUNNER] = here()["pid"]
        try:
            yield
        finally:
            del os.environ[RUNNER]


@contextmanager
def worker_on(folder: RunFolder) -> Iterator[None]:
    """Be the only one who does a step of this run: for its runner, or where it has none.

    Raises:
        RunRefused: If somebody else runs it, or does a step of it.
    """
    with _lock(folder.path) as ours:
        if not (ours or works_for_runner(folder)):
            raise RunRefused(_refusal(folder))
        with _lock(folder.path / "evidence") as alone:
            if not alone:
                raise RunRefused(_refusal(folder))
            yield


@contextmanager
def _lock(path: Path, wait_s: float = 0.0) -> Iterator[bool]:
    """Lock a folder, no file is left behind; say whether it was free, or became free in time."""
    handle = os.open(path, os.O_RDONLY)
    try:
        deadline_s = time.monotonic() + wait_s
        while not (free := _try(handle)) and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)
        yield free
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)  # a process that another thread just forks still has the handle
        os.close(handle)


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def works_for_runner(folder: RunFolder) -> bool:
    """Say whether the run's runner is this process, or the one that has asked for it."""
    runner = _holder(folder, _RUNNERS)
    mine = {"host": here()["host"], "pid": os.environ.get(RUNNER, "")}
    return runner is not None and {name: runner.facts.get(name) for name in mine} == mine


def _holder(folder: RunFolder, events: tuple[Event, ...]) -> LedgerEntry | None:
    named = [entry for entry in folder.ledger() if entry.event in events and "pid" in entry.facts]
    return named[-1] if named else None


def _may_live(entry: LedgerEntry) -> bool:
    return entry.facts.get("host") != here()["host"] or psutil.pid_exists(_pid(entry))


def _pid(entry: LedgerEntry) -> int:
    text = entry.facts["pid"]
    return int(text) if text.isdecimal() else -1


def _refusal(folder: RunFolder) -> str:
    runner, kernel = _holder(folder, _RUNNERS), _holder(folder, ("step started",))
    holder = runner if runner and _may_live(runner) else kernel
    if holder is None:
        return f"{folder.run_id} is worked on by another process: wait until that has ended"
    process = f"process {holder.facts['pid']} on {holder.facts.get('host', 'this machine')}"
    since = f"{holder.time:%Y-%m-%d %H:%M:%S} UTC"
    return f"{folder.run_id} is worked on by {process} since {since}: wait until that has ended"
