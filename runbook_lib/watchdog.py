"""Kill what a command has started when the process that runs the command dies without a word.

The runbook writes the command's process group to this script's standard input, and `done` when the command
has ended. When that pipe closes before, whatever the reason, everything of the command is killed: its group,
and what carries its mark in its environment.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

_DONE = "done\n"
_ROUNDS, _ROUND_S = 20, 0.1


class Watchdog:
    """The runbook's end of the pipe.

    Args:
        mark: `NAME=VALUE`, which the command and whatever it starts inherit.
    """

    def __init__(self, mark: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", __file__, mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def watch(self, group: int) -> None:
        """Name the command's process group."""
        self._write(f"{group}\n")

    def dismiss(self) -> None:
        """Say that the command has ended; nothing is killed."""
        self._write(_DONE)
        with suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        self._process.wait()

    def _write(self, line: str) -> None:
        with suppress(OSError):
            if self._process.stdin:
                self._process.stdin.write(line)
                self._process.stdin.flush()


def main() -> None:
    """Wait for the end of the pipe, and kill unless the last word was `done`."""
    lines = sys.stdin.readlines()
    if lines[-1:] == [_DONE]:
        return
    groups = [int(line) for line in lines if line.strip().isdecimal()]
    for _ in range(_ROUNDS):
        for group in groups:
            with suppress(OSError):
                os.killpg(group, signal.SIGKILL)
        marked = _marked(sys.argv[1].encode())
        for pid in marked:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not marked:
            return
        time.sleep(_ROUND_S)


def _marked(mark: bytes) -> list[int]:
    """Return the processes that have the mark in their environment; on systems without /proc, none."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0") and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found


if __name__ == "__main__":
    main()
