"""Run one step in a process beside the kernel: begin it, ask whether it has ended, cancel it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from runbook_lib.explained import Explained

_GIVEN_UP_AFTER_S = 30


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a step's process ended. `explained` says what went wrong, where it could say so."""

    code: int
    explained: Explained | None = None
    traceback: str = ""


class StepProcess:
    """A process that has everything imported and waits for its one order; it ends when this one does."""

    def __init__(self) -> None:
        self._out, self._err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 - see `close`
        self._process = subprocess.Popen(
            [sys.executable, "-m", "runbook_lib.worker"],
            stdin=subprocess.PIPE,
            stdout=self._out,
            stderr=self._err,
            start_new_session=True,
        )

    def begin(self, order: dict[str, object]) -> None:
        """Give it its order, the fields of `worker.Order`."""
        assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
        self._process.stdin.write(f"{json.dumps(order)}\n".encode())
        self._process.stdin.flush()

    def cancel(self) -> None:
        """Ask it to stop; it ends what it has started and leaves a line in the ledger."""
        self._process.send_signal(signal.SIGINT)

    def ended(self) -> Ended | None:
        """Return how it ended, or None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        said = self._read(self._out).splitlines()
        explained = Explained(**json.loads(said[-1])) if said else None
        return Ended(code=code, explained=explained, traceback=self._read(self._err))

    def close(self) -> None:
        """End it, whatever it does, and wait until it has."""
        with contextlib.suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GIVEN_UP_AFTER_S)
        self._process.kill()
        for file in (self._out, self._err):
            file.close()

    @staticmethod
    def _read(file: object) -> str:
        file.seek(0)  # type: ignore[attr-defined]
        return file.read().decode(errors="replace")  # type: ignore[attr-defined,no-any-return]
