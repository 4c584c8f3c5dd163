"""An emulator of these tests' own, and the command line that uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_run import PlanMaker, Shell


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An environment whose emulator is not anybody else's; the emulator is ended afterwards."""
    state = tmp_path_factory.mktemp("emulator")
    env = {**os.environ, "RUNBOOK_EMULATOR_DIR": str(state), "COLUMNS": "200"}
    yield env
    subprocess.run([sys.executable, "-m", "runbook_lib.emulator", "down"], env=env, check=True, timeout=60)


@pytest.fixture(scope="session")
def runbook(environment: dict[str, str]) -> Shell:
    """The command line."""
    return Shell(environment)


@pytest.fixture
def make_plan(tmp_path: Path) -> PlanMaker:
    """Makes plans whose runs land in this test's own folder."""
    return PlanMaker(folder=tmp_path)
