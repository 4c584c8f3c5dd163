"""Hold what notebooks import, and fork a kernel whenever asked to.

`kernels.forking` starts this process, with one end of a socket pair as its standard input. It starts no
thread and opens no connection, since a fork would have their locks without them. As soon as the other end of
the socket is gone, however it went, the kernels are ended.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress

from runbook_lib.kernels.process import ForkedProcess
from runbook_lib.kernels.request import REQUEST_BYTES, Request

_GRACE_S = 3.0
"""For a step that is interrupted to end what it has started."""


def main() -> None:
    """Import everything, then fork until nobody is there to ask."""
    link = socket.socket(fileno=os.dup(0))
    _read_nothing()
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # a kernel of ours ends when this process is gone
    _import_what_notebooks_need()
    if threading.active_count() > 1:
        raise RuntimeError(f"an import has started threads, which no fork survives: {threading.enumerate()}")
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system buries them; a pidfd tells of their end
    kernels: list[ForkedProcess] = []
    while request := _next_request(link):
        kernels = [kernel for kernel in kernels if kernel.poll() is None]
        pid = os.fork()
        if pid == 0:
            _let_go(link, kernels)
            return _be_a_kernel(Request.read(request))
        pidfd = os.pidfd_open(pid)
        kernels.append(ForkedProcess(pid, pidfd))
        socket.send_fds(link, [str(pid).encode()], [pidfd])
    return _end(kernels)


def _read_nothing() -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _import_what_notebooks_need() -> None:
    """Import a kernel, with what it imports while it starts, and the notebooks' helpers."""
    import ipykernel.debugger
    import ipykernel.kernelapp  # noqa: F401

    import runbook_lib.gcp.cloud_logging
    import runbook_lib.gcp.cloud_monitoring
    import runbook_lib.gcp.cloud_run
    import runbook_lib.notebook  # noqa: F401


def _next_request(link: socket.socket) -> bytes:
    with suppress(ConnectionError):
        return link.recv(REQUEST_BYTES)
    return b""


def _let_go(link: socket.socket, others: list[ForkedProcess]) -> None:
    """Close what a fork has in its hands and has no business with."""
    link.close()
    for other in others:
        other.let_go()


def _be_a_kernel(request: Request) -> None:
    """Be what `python -m ipykernel_launcher` would be in this folder and environment, until it ends."""
    from ipykernel.kernelapp import IPKernelApp
    from numpy import random

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(request.cwd)
    parent = os.environ["JPY_PARENT_PID"]
    os.environ.clear()
    os.environ.update({**request.env, "JPY_PARENT_PID": parent})
    random.seed()  # the standard library's own generator knows of forks
    sys.argv = ["ipykernel_launcher", *request.arguments]
    IPKernelApp.launch_instance()


def _end(kernels: list[ForkedProcess]) -> None:
    """Interrupt what is still running, and end what does not end by itself."""
    for number in (signal.SIGINT, signal.SIGKILL):
        for kernel in kernels:
            kernel.signal_session(number)
        deadline_s = time.monotonic() + _GRACE_S
        kernels = [kernel for kernel in kernels if kernel.poll(deadline_s - time.monotonic()) is None]


if __name__ == "__main__":
    main()
