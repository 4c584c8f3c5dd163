"""Start the fork server and ask it for kernels."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from threading import Lock

from runbook_lib.kernels.process import ForkedProcess
from runbook_lib.kernels.request import Request

SWITCH = "RUNBOOK_FORK_KERNELS"
"""Variable that, set to `no`, makes every kernel start by itself."""
LINK = "RUNBOOK_FORK_LINK"
"""Variable by which a forked run finds its link to the server; set by the server only."""
FOR_RUNS = "--for-runs"
_COMMAND = (sys.executable, "-P", "-Xfrozen_modules=off", "-m", "runbook_lib.fork_server")
_IMPORTED_WITHIN_S = 120
_PID_BYTES = 32


def can_fork(environment: Mapping[str, str]) -> bool:
    """Say whether kernels can be forked here: on Linux, with pidfds, unless it is switched off."""
    able = sys.platform == "linux" and hasattr(os, "pidfd_open") and hasattr(signal, "pidfd_send_signal")
    return able and environment.get(SWITCH, "") != "no"


class ForkServer:
    """The connection to a fork server, which imports while we do something else.

    What it forked, and the server itself, end with this process, or when it is ended.

    Args:
        link: Of a server that runs already; without one, a server is started.
        for_runs: Let it import what whole runs need, too.

    Attributes:
        shared: Whether it forks for other runs, too.
    """

    def __init__(self, link: socket.socket | None = None, *, for_runs: bool = False) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()
        self.shared = link is not None
        if link is None:
            link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:  # a session of its own: Ctrl-C reaches the run, which ends its kernels in order
                self._process = subprocess.Popen(
                    [*_COMMAND, *([FOR_RUNS] if for_runs else [])],
                    stdin=theirs.fileno(),
                    start_new_session=True,
                )
        self._link = link
        self._link.settimeout(_IMPORTED_WITHIN_S)

    def fork(self, request: Request) -> ForkedProcess:
        """Return a new kernel's process.

        Raises:
            OSError: If the server is gone, does not answer, or the request is too large for its socket.
        """
        with self._lock:
            self._link.sendall(request.to_bytes())
            answer, pidfds, *_ = socket.recv_fds(self._link, _PID_BYTES, 1)
        if not answer:
            raise ConnectionError("the fork server is gone")
        return ForkedProcess(int(answer), pidfds[0])

    def end(self) -> None:
        """End the server at once, if it is ours; a kernel that is left ends within a second."""
        if self._process:
            self._process.kill()
            self._process.wait()
        self._link.close()


@cache
def shared_server() -> ForkServer:
    """Return this process's server: the one that has forked it, or one started when first asked for."""
    link = os.environ.pop(LINK, "")
    return ForkServer(socket.socket(fileno=int(link)) if link else None)


@contextmanager
def warming_up() -> Iterator[None]:
    """Let the imports begin now, for kernels that are wanted inside."""
    if not can_fork(os.environ):
        yield
        return
    server = shared_server()
    try:
        yield
    finally:
        server.end()
        shared_server.cache_clear()
