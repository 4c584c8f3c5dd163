"""Run the plan's own commands as argument lists, and end their whole process tree at the time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from runbook_lib.clock import Clock
from runbook_lib.errors import CommandFailed
from runbook_lib.evidence import Window
from runbook_lib.ports import CommandResult
from runbook_lib.redact import redact, secrets_of

OUTPUT_LIMIT_BYTES = 1_000_000
_MARGIN_BYTES = 10_000
"""Read before the limit, so that a secret which the limit cuts is still known as one."""
_GRACE_S = 5


class LocalCommands:
    """Implements `ports.Commands` on this machine.

    Args:
        environment: What every command gets; its own `env` is laid over it.
        clock: For the window.
    """

    def __init__(self, environment: Mapping[str, str], clock: Clock) -> None:
        self._environment, self._clock = dict(environment), clock

    def run(self, argv: Sequence[str], *, cwd: Path, env: dict[str, str], timeout_s: float) -> CommandResult:
        """Run a command; `python` means the interpreter that runs this."""
        start = self._clock.now()
        with tempfile.TemporaryFile() as output:
            process = self._start(argv, cwd, env, output)
            exit_code = _wait(process, timeout_s)
            text = redact(_tail(output), secrets_of({**self._environment, **env}))
        window = Window(start=start, end=self._clock.now())
        return CommandResult(exit_code=exit_code, output=text[-OUTPUT_LIMIT_BYTES:], window=window)

    def _start(
        self, argv: Sequence[str], cwd: Path, env: dict[str, str], output: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        program = sys.executable if argv[0] in ("python", "python3") else argv[0]
        try:
            return subprocess.Popen(
                [program, *argv[1:]],
                cwd=cwd,
                env={**self._environment, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
            reason = error.strerror if isinstance(error, OSError) else error
            raise CommandFailed(
                f"{argv[0]} in {cwd} cannot be started ({reason}): check command and cwd in the plan"
            ) from error


def _wait(process: subprocess.Popen[bytes], timeout_s: float) -> int | None:
    """Return the exit code, or None at the time limit; either way no process of its session is left."""
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
        return None
    finally:
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - OUTPUT_LIMIT_BYTES - _MARGIN_BYTES))
    return output.read().decode(errors="replace")
