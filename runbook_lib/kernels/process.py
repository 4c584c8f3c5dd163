"""Watch and signal a process that somebody else has forked."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress

ENDED = 1
"""What stands for an exit code: only the parent is told the real one."""


class ForkedProcess:
    """A process by its pidfd, with as much of `subprocess.Popen` as jupyter_client uses.

    Attributes:
        pid: Its number, also its session's. Another may have it one day; a pidfd means this process.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd = pidfd

    def poll(self, wait_s: float = 0) -> int | None:
        """Return None while it lives, after waiting for its end for so long."""
        if self._pidfd >= 0 and not self._ended(wait_s):
            return None
        self.let_go()
        return ENDED

    def wait(self) -> int:
        """Return when it has ended."""
        while self.poll(wait_s=60) is None:
            pass
        return ENDED

    def send_signal(self, number: int) -> None:
        """Signal the process alone."""
        with suppress(ProcessLookupError):
            if self._pidfd >= 0:
                signal.pidfd_send_signal(self._pidfd, number)

    def signal_session(self, number: int) -> None:
        """Signal it with all that it has started and that did not leave its session."""
        with suppress(ProcessLookupError):
            if self.poll() is None:
                os.killpg(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def let_go(self) -> None:
        """Close the pidfd; from then on the process counts as ended."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _ended(self, wait_s: float) -> bool:
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(max(0.0, wait_s) * 1000))
