"""Starts, finds and ends the background emulator of a state folder."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .reaper import GRACE_S

START_TIMEOUT_S = 60.0
_POLL_S = 0.05
_HTTP_TIMEOUT_S = 5.0


class DaemonError(Exception):
    """The emulator could not be started, reached or ended."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """Content of `emulator.json`: a running emulator."""

    pid: int
    grpc: str
    http: str
    started: str
    log: str


class Daemon:
    """The emulator that belongs to a state folder."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self._file = state_dir / "emulator.json"
        self.log_file = state_dir / "emulator.log"

    def find(self) -> Running | None:
        """Return the emulator that answers here, or None; a file left by a dead one is no emulator."""
        try:
            running = Running(**json.loads(self._file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return running if _alive(running.pid) and _answers(running.http) else None

    def up(self, options: Sequence[str]) -> Running:
        """Return the running emulator, started now with these `serve` options if there was none.

        Raises:
            DaemonError: If it does not come up.
        """
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with _locked(self.state_dir / "up.lock"):
            return self.find() or self._start(options)

    def down(self) -> bool:
        """End the emulator and its revisions; return False when there was none.

        Raises:
            DaemonError: If it does not end.
        """
        running = self.find()
        if running is None:
            self._file.unlink(missing_ok=True)
            return False
        os.kill(running.pid, signal.SIGTERM)
        if not _wait_until_dead(running.pid, GRACE_S + 5):
            os.kill(running.pid, signal.SIGKILL)
            if not _wait_until_dead(running.pid, 5):
                raise DaemonError(f"emulator process {running.pid} did not end; see {running.log}")
        self._file.unlink(missing_ok=True)
        return True

    def announce(self, running: Running) -> None:
        """Write `emulator.json` at once, so that no reader sees half of it."""
        draft = self._file.with_suffix(f".{os.getpid()}.tmp")
        draft.write_text(json.dumps(asdict(running), indent=2) + "\n", encoding="utf-8")
        draft.replace(self._file)

    def withdraw(self) -> None:
        """Remove `emulator.json` if it is this process's own."""
        with suppress(OSError, ValueError):
            if json.loads(self._file.read_text(encoding="utf-8"))["pid"] == os.getpid():
                self._file.unlink()

    @contextmanager
    def sole(self) -> Iterator[None]:
        """Hold the folder while serving.

        Raises:
            DaemonError: If another emulator holds it.
        """
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with (self.state_dir / "serve.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise DaemonError(
                    f"another emulator serves {self.state_dir}: use it, or end it with down"
                ) from error
            yield

    def _start(self, options: Sequence[str]) -> Running:
        command = [
            sys.executable,
            "-m",
            "runbook_lib.emulator",
            "serve",
            "--state-dir",
            str(self.state_dir),
            *options,
        ]
        self._file.unlink(missing_ok=True)
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if running := self.find():
                return running
            if process.poll() is not None:
                raise DaemonError(f"the emulator ended with code {process.returncode}: {self._last_words()}")
            time.sleep(_POLL_S)
        process.kill()
        raise DaemonError(f"the emulator did not answer within {START_TIMEOUT_S:g} s; see {self.log_file}")

    def _last_words(self) -> str:
        text = self.log_file.read_text(encoding="utf-8", errors="replace").strip()
        last = text.rpartition("error: ")[2] if "error: " in text else text.rpartition("\n")[2]
        return " ".join(last.split()) or f"see {self.log_file}"


def fetch_status(running: Running) -> dict[str, Any]:
    """Return what the emulator says of itself.

    Raises:
        DaemonError: If it does not answer.
    """
    try:
        with urllib.request.urlopen(f"{running.http}/status", timeout=_HTTP_TIMEOUT_S) as answer:  # noqa: S310
            document: dict[str, Any] = json.load(answer)
            return document
    except (OSError, ValueError) as error:
        raise DaemonError(f"GET {running.http}/status: {error}") from error


def _answers(http: str) -> bool:
    try:
        with urllib.request.urlopen(f"{http}/healthz", timeout=_HTTP_TIMEOUT_S) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """A dead child that nobody has waited for still takes signals."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return False


def _wait_until_dead(pid: int, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not _alive(pid):
            return True
        time.sleep(_POLL_S)
    return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
