"""Hold what notebooks import, and fork a kernel, or a whole run, whenever asked to.

`kernels.forking` starts this process, with one end of a socket pair as its standard input. It starts no
thread and opens no connection, since a fork would have their locks without them. As soon as the other end of
the socket is gone, however it went, what was forked for it is ended.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress

from runbook_lib.kernels.forking import FOR_RUNS, LINK
from runbook_lib.kernels.process import ForkedProcess
from runbook_lib.kernels.request import REQUEST_BYTES, Request

_GRACE_S = 3.0
"""For a step that is interrupted to end what it has started."""
Links = dict[socket.socket, list[ForkedProcess]]
"""Who may ask, with what was forked for him."""


def main() -> None:
    """Import everything, then fork until nobody is there to ask."""
    first = socket.socket(fileno=os.dup(0))
    _read_nothing()
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # a kernel of ours ends when this process is gone
    gc.disable()  # looking for rubbish among what is here to stay takes a quarter of the imports' time
    _import_what_notebooks_need()
    if FOR_RUNS in sys.argv:
        _import_what_runs_need()
    if threading.active_count() > 1:
        raise RuntimeError(f"an import has started threads, which no fork survives: {threading.enumerate()}")
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system buries them; a pidfd tells of their end
    links: Links = {first: []}
    while first in links:
        for link in select.select(list(links), [], [])[0]:
            request = _next_request(link)
            if not request:
                _end(links.pop(link))
                link.close()
            elif not _serve(Request.read(request), link, links):
                return  # this is the fork, and it has ended
    _end([process for forked in links.values() for process in forked])


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


def _import_what_runs_need() -> None:
    """Import all that some process of a run will: what is here before the fork, many runs have in common."""
    import plotly.graph_objects
    import plotly.io
    import plotly.offline  # noqa: F401
    import pyarrow.dataset
    import pyarrow.parquet  # noqa: F401

    import runbook_lib.agent.load
    import runbook_lib.cli.app
    import runbook_lib.gcp.permissions
    import runbook_lib.headless
    import runbook_lib.report.html  # noqa: F401


def _next_request(link: socket.socket) -> bytes:
    with suppress(ConnectionError):
        return link.recv(REQUEST_BYTES)
    return b""


def _serve(request: Request, link: socket.socket, links: Links) -> bool:
    """Fork what is asked for and tell its process; return False in the fork, once it has ended."""
    links[link] = [process for process in links[link] if process.poll() is None]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        _let_go(links, ours)
        _start_afresh(request)
        if request.output:
            _be_a_run(request, theirs)
        else:
            theirs.close()
            _be_a_kernel(request)
        return False
    theirs.close()
    pidfd = os.pidfd_open(pid)
    links[link].append(ForkedProcess(pid, pidfd))
    if request.output:
        links[ours] = []
    else:
        ours.close()
    with suppress(ConnectionError):  # who asked is gone: the next look at the link will end it
        socket.send_fds(link, [str(pid).encode()], [pidfd])
    return True


def _let_go(links: Links, ours: socket.socket) -> None:
    """Close what a fork has in its hands and has no business with."""
    ours.close()
    for link, forked in links.items():
        link.close()
        for process in forked:
            process.let_go()


def _start_afresh(request: Request) -> None:
    """Have a session, folder and environment of its own."""
    from numpy import random

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request.cwd)
    parent = os.environ["JPY_PARENT_PID"]
    os.environ.clear()
    os.environ.update({**request.env, "JPY_PARENT_PID": parent})
    random.seed()  # the standard library's own generator knows of forks


def _be_a_kernel(request: Request) -> None:
    """Be what `python -m ipykernel_launcher` would be, until it ends."""
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = ["ipykernel_launcher", *request.arguments]
    IPKernelApp.launch_instance()


def _be_a_run(request: Request, link: socket.socket) -> None:
    """Be what `runbook` would be, with the given link to this server, until it ends."""
    from runbook_lib.cli.app import main as runbook

    output = os.open(request.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output, stream.fileno())
    os.environ[LINK] = str(link.detach())
    sys.argv = ["runbook", *request.arguments]
    runbook(request.arguments)


def _end(processes: list[ForkedProcess]) -> None:
    """Interrupt what is still running, and end what does not end by itself."""
    for number in (signal.SIGINT, signal.SIGKILL):
        for process in processes:
            process.signal_session(number)
        deadline_s = time.monotonic() + _GRACE_S
        processes = [each for each in processes if each.poll(deadline_s - time.monotonic()) is None]


if __name__ == "__main__":
    main()
