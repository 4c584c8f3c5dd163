"""Have the shares of a load made by processes of this machine, one each."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from runbook_lib.agent.load.share import Share, make_alone
from runbook_lib.evidence import Session
from runbook_lib.evidence.load_figures import LoadWatch, Tallies, merged

_TRIES = 2


async def made_by_processes(
    shares: Sequence[Share], environment: Mapping[str, str], watch: LoadWatch
) -> tuple[Session, ...]:
    """Return what all shares made; one whose process dies is made once more, and is missing after that."""
    loop, seen = asyncio.get_running_loop(), dict[int, Tallies]()

    def tell(place: int, tallies: Tallies) -> None:
        seen[place] = tallies
        watch(merged(seen.values()))

    def teller(place: int) -> LoadWatch:
        def told(tallies: Tallies) -> None:
            loop.call_soon_threadsafe(tell, place, tallies)

        return told

    workers = [_Worker(share, environment, teller(place)) for place, share in enumerate(shares)]
    with ThreadPoolExecutor(len(workers)) as threads:
        try:
            made = await asyncio.gather(*(loop.run_in_executor(threads, each.make) for each in workers))
        finally:
            for each in workers:
                each.stop()
    return tuple(session for sessions in made for session in sessions)


class _Worker:
    """Makes one share by a process; what it is told of comes by a pipe, and so does the environment."""

    def __init__(self, share: Share, environment: Mapping[str, str], tell: LoadWatch) -> None:
        self._share, self._environment, self._tell = share, dict(environment), tell
        self._process: BaseProcess | None = None
        self._stopped = False

    def make(self) -> tuple[Session, ...]:
        """Make it; called in a thread, which waits."""
        for _ in range(_TRIES):
            made = None if self._stopped else self._try()
            if made is not None:
                return made
            self._tell({})  # what was counted is made again, or lost
        return ()

    def stop(self) -> None:
        """End the process."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()

    def _try(self) -> tuple[Session, ...] | None:
        """Return what the process made, None if it died before."""
        context = _context()
        ours, theirs = context.Pipe(duplex=False)
        process: BaseProcess = context.Process(
            target=_work, args=(theirs, self._share, self._environment), daemon=True
        )
        self._process = process
        process.start()
        theirs.close()
        try:
            return self._listen(ours)
        finally:
            process.kill()
            process.join()
            ours.close()

    def _listen(self, ours: Connection) -> tuple[Session, ...] | None:
        try:
            while ours.poll(self._share.limit_s):
                told = ours.recv()
                if isinstance(told, tuple):
                    return told
                self._tell(told)
        except (EOFError, ConnectionResetError):
            pass
        return None


def _work(theirs: Connection, share: Share, environment: dict[str, str]) -> None:
    theirs.send(make_alone(share, environment, theirs.send))
    theirs.close()


def _context() -> Any:
    """Return a way to start processes that copies no threads of this one."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context
