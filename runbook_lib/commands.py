"""Run the plan's own commands as argument lists, and end their whole process tree at the time limit."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from runbook_lib.clock import Clock
from runbook_lib.errors import CommandFailed
from runbook_lib.evidence import Window
from runbook_lib.kept_output import KeptOutput, Lines
from runbook_lib.ports import CommandResult, Listener
from runbook_lib.process_tree import MARK, ProcessTree, new_mark
from runbook_lib.redact import secrets_of
from runbook_lib.watchdog import Watchdog

_CHUNK_BYTES = 65_536
_PULSE_S = 0.2
_GRACE_S = 5


class LocalCommands:
    """Implements `ports.Commands` on this machine.

    Args:
        environment: What every command gets; its own `env` is laid over it.
        clock: For the window.
    """

    def __init__(self, environment: Mapping[str, str], clock: Clock) -> None:
        self.environment: Mapping[str, str] = dict(environment)
        self._clock = clock

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: dict[str, str],
        timeout_s: float,
        secrets: Sequence[str] = (),
        listener: Listener | None = None,
    ) -> CommandResult:
        """Run a command; `python` means the interpreter that runs this."""
        environment = {**self.environment, **env, MARK: new_mark()}
        start = self._clock.now()
        watchdog = Watchdog(f"{MARK}={environment[MARK]}")
        try:
            process = self._start(argv, cwd, environment)
            watchdog.watch(process.pid)
            running = _Running(process, ProcessTree(process.pid, environment[MARK]), listener)
            exit_code = running.to_its_end(timeout_s)
        finally:
            watchdog.dismiss()
        if listener:
            listener.pulse()
        return CommandResult(
            exit_code=exit_code,
            output=running.output.text((*secrets, *secrets_of(environment))),
            window=Window(start=start, end=self._clock.now()),
        )

    def _start(self, argv: Sequence[str], cwd: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
        program = sys.executable if argv[0] in ("python", "python3") else argv[0]
        try:
            return subprocess.Popen(
                [program, *argv[1:]],
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
            reason = error.strerror if isinstance(error, OSError) else error
            raise CommandFailed(
                f"{argv[0]} in {cwd} cannot be started ({reason}): check command and cwd in the plan"
            ) from error


class _Running:
    """A command that runs: its output is read as it comes, and nothing of it is left afterwards."""

    def __init__(
        self, process: subprocess.Popen[bytes], tree: ProcessTree, listener: Listener | None
    ) -> None:
        self._process, self._tree, self._listener = process, tree, listener
        self._lines = Lines(listener.hear if listener else None)
        self.output = KeptOutput()
        self._selector = selectors.DefaultSelector()
        assert process.stdout is not None  # noqa: S101 - it was started with a pipe
        self._selector.register(process.stdout, selectors.EVENT_READ)

    def to_its_end(self, timeout_s: float) -> int | None:
        """Return the exit code, or None at the time limit; either way no process of its tree is left."""
        try:
            if self._follow(timeout_s):
                return self._process.returncode
            self._signal(signal.SIGTERM)
            self._follow(_GRACE_S)
            return None
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._tree.end()
            self._drain()
            self._selector.close()

    def _follow(self, timeout_s: float) -> bool:
        """Read until the command ends; say whether it did in time."""
        deadline_s = time.monotonic() + timeout_s
        while self._process.poll() is None:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return False
            self._read(min(_PULSE_S, left_s))
            if self._listener:
                self._listener.pulse()
        return True

    def _read(self, wait_s: float) -> bool:
        """Wait for output, keep it, and say whether there was any."""
        if not self._selector.get_map():  # the command has closed its output and goes on
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(wait_s)
            return False
        for key, _ in self._selector.select(wait_s):
            if chunk := os.read(key.fd, _CHUNK_BYTES):
                self.output.feed(chunk)
                self._lines.feed(chunk)
                return True
            self._selector.unregister(key.fileobj)
        return False

    def _drain(self) -> None:
        while self._read(0):
            pass
        self._lines.end()
        if self._process.stdout:
            self._process.stdout.close()

    def _signal(self, number: signal.Signals) -> None:
        """Signal the command with its session, and what has left that; nobody is forgotten as parents die."""
        self._tree.members()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
        self._tree.signal(number)
