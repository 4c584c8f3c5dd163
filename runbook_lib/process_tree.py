"""Find and end everything that one command has started, also what left its session or outlived its parent."""

from __future__ import annotations

import contextlib
import os
import secrets
from signal import SIGKILL, Signals

import psutil

MARK = "RUNBOOK_COMMAND"
"""Environment variable that a command, and whatever it starts, inherits; its value is the command's own."""
_ROUNDS = 20
_ROUND_S = 0.25


def new_mark() -> str:
    """Return a value of `MARK` that no other command has."""
    return secrets.token_hex(8)


class ProcessTree:
    """The processes that descend from a command, without the command's own process.

    A child is known by its parents or, where it has left them (`setsid`, double fork), by the mark that it
    inherited. One that left its parents and cleared its environment before
    anybody looked is not found.
    """

    def __init__(self, pid: int, mark: str) -> None:
        self._pid, self._mark = pid, mark
        self._seen: set[psutil.Process] = set()

    def members(self) -> list[psutil.Process]:
        """Return the members that still run; who was seen once is known also without its parents."""
        self._seen |= {process for process in psutil.process_iter() if self._is_marked(process)}
        with contextlib.suppress(psutil.Error):
            self._seen |= set(psutil.Process(self._pid).children(recursive=True))
        return [
            process
            for process in self._seen
            if process.pid not in (self._pid, os.getpid()) and _runs(process)
        ]

    def signal(self, number: Signals) -> None:
        """Send a signal to each member."""
        for process in self.members():
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)

    def end(self) -> None:
        """Kill the members, and what they have started meanwhile."""
        for _ in range(_ROUNDS):
            members = self.members()
            if not members:
                return
            self.signal(SIGKILL)
            psutil.wait_procs(members, timeout=_ROUND_S)

    def _is_marked(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error, OSError):
            return process.environ().get(MARK) == self._mark
        return False


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
