"""An emulator of these tests' own, and the command line that uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_run import PlanMaker, Shell

EMULATOR = (sys.executable, "-m", "runbook_lib.emulator")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An environment whose emulator is not anybody else's; the emulator is ended afterwards."""
    state = tmp_path_factory.mktemp("emulator")
    env = {**os.environ, "RUNBOOK_EMULATOR_DIR": str(state), "COLUMNS": "200"}
    up = [*EMULATOR, "up", "--sample-period", "0.25"]  # four memory samples a second, so that tests wait less
    subprocess.run(up, env=env, check=True, timeout=60, stdout=subprocess.DEVNULL)
    yield env
    subprocess.run([*EMULATOR, "down"], env=env, check=True, timeout=60)


@pytest.fixture(scope="session")
def runbook(environment: dict[str, str]) -> Shell:
    """The command line."""
    return Shell(environment)


@pytest.fixture
def make_plan(tmp_path: Path) -> PlanMaker:
    """Makes plans whose runs land in this test's own folder."""
    return PlanMaker(folder=tmp_path)
