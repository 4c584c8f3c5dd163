"""Heavy tests run one at a time, on one worker, however many workers there are."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SUITE = """\
import os
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range(4))
@pytest.mark.{mark}
def test_{mark}(number):
    with Path("workers").open("a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")
"""


def test_browser_and_whole_run_tests_share_one_worker(tmp_path: Path) -> None:
    for name in ("conftest.py", "browser.py", "lab.py", "small_plan.py", "../pyproject.toml"):
        shutil.copy(HERE / name, tmp_path)
    for mark in ("e2e", "browser"):
        (tmp_path / f"test_{mark}.py").write_text(SUITE.format(mark=mark), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "."]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert "8 passed" in ended.stdout, ended.stdout + ended.stderr
    assert len(set((tmp_path / "workers").read_text(encoding="utf-8").split())) == 1
