"""Kills the revisions' process groups when the emulator dies without a word; a process of its own.

The emulator writes `+PGID` and `-PGID` lines to this script's standard input. When that pipe closes, for
whatever reason, every group still noted is killed. A death signal (PR_SET_PDEATHSIG) would miss the
container's own children.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress

GRACE_S = 10.0
"""Time that a container has between SIGTERM and SIGKILL, as on Cloud Run."""


class Reaper:
    """The emulator's end of the pipe."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", __file__], stdin=reading, start_new_session=True
        )
        os.close(reading)
        self._pipe = os.fdopen(writing, "w", buffering=1)

    def watch(self, group: int) -> None:
        """Note a process group that must not outlive the emulator."""
        self._write(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Drop a group that has ended, before its number is used again."""
        self._write(f"-{group}\n")

    def close(self) -> None:
        """Let the reaper kill what is left and end."""
        with suppress(BrokenPipeError):
            self._pipe.close()
        self._process.wait()

    def _write(self, line: str) -> None:
        with suppress(BrokenPipeError):
            self._pipe.write(line)


def kill_group(group: int) -> None:
    """Kill every process of a group; a group that is gone is fine."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def main() -> None:
    """Read lines until the pipe closes, then kill."""
    groups: set[int] = set()
    for line in sys.stdin:
        change = groups.add if line.startswith("+") else groups.discard
        change(int(line[1:]))
    for group in groups:
        kill_group(group)


if __name__ == "__main__":
    main()
