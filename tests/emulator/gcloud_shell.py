"""The real gcloud in a shell whose environment is what the emulator's `env` command prints."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from emulator_cloud import ROOT, run_command

FLAGS = "--region=us-central1 --project=netra-staging"


@dataclass(frozen=True, kw_only=True)
class Shell:
    """A bash that has evaluated the exports.

    Attributes:
        info: Content of `emulator.json`.
        cwd: Folder that commands run in.
    """

    state_dir: Path
    info: dict[str, Any]
    cwd: Path

    @cached_property
    def exports(self) -> str:
        """What `env` prints; asked once, for the emulator stays where it is."""
        done = run_command("env", "--state-dir", str(self.state_dir))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, text: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script to its end, with `python` on the PATH as this Python."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **variables}
        done = subprocess.run(
            ["/bin/bash", "-c", f"set -eu\n{self.exports}\n{text}"],
            cwd=self.cwd,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if check:
            assert done.returncode == 0, f"{text}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def json(self, text: str) -> Any:
        """Run a command and return what it prints as JSON."""
        return json.loads(self.run(text).stdout)


def require(program: str, advice: str) -> None:
    """Fail, and do not skip, where a program is missing: a suite that skips proves nothing."""
    if shutil.which(program) is None:
        pytest.fail(f"{program} is not on the PATH: {advice}", pytrace=False)


def require_gcloud() -> None:
    """Fail where the real gcloud is missing."""
    require("gcloud", "install the Google Cloud CLI (Debian package google-cloud-cli), then run again")


@contextmanager
def shell(folder: Path, cwd: Path, *options: str) -> Iterator[Shell]:
    """Start an emulator, and end it afterwards."""
    state_dir = folder / "state"
    started = run_command("up", "--state-dir", str(state_dir), "--json", *options)
    assert started.returncode == 0, started.stderr
    try:
        yield Shell(state_dir=state_dir, info=json.loads(started.stdout), cwd=cwd)
    finally:
        assert run_command("down", "--state-dir", str(state_dir)).returncode == 0
