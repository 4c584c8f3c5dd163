"""Heavy tests run one at a time, on one worker, and so do those that share what is made for their module."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
HEAVY = """\
import os
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range(4))
@pytest.mark.{mark}
def test_{mark}(number):
    with Path("heavy").open("a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")
"""
SHARING = """\
import os
from pathlib import Path
import pytest

@pytest.fixture(scope="module")
def made():
    return os.environ["PYTEST_XDIST_WORKER"]

@pytest.mark.parametrize("number", range(8))
def test_sharing(number, made):
    with Path("sharing").open("a") as file:
        file.write(made + "\\n")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where such tests have left the workers that they ran on."""
    folder = tmp_path_factory.mktemp("groups")
    for name in ("conftest.py", "browser.py", "lab.py", "small_plan.py", "../pyproject.toml"):
        shutil.copy(HERE / name, folder)
    for mark in ("e2e", "browser"):
        (folder / f"test_{mark}.py").write_text(HEAVY.format(mark=mark), encoding="utf-8")
    (folder / "test_sharing.py").write_text(SHARING, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-p", "xdist", "."]
    plain = {
        **os.environ,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }  # others take longer than this
    ended = subprocess.run(command, cwd=folder, env=plain, capture_output=True, text=True, timeout=120)
    assert "16 passed" in ended.stdout, ended.stdout + ended.stderr
    return folder


def workers(folder: Path, name: str) -> set[str]:
    return set((folder / name).read_text(encoding="utf-8").split())


def test_browser_and_whole_run_tests_share_one_worker(folder: Path) -> None:
    assert len(workers(folder, "heavy")) == 1


def test_those_that_share_a_modules_fixture_do_so_on_one_worker(folder: Path) -> None:
    assert len(workers(folder, "sharing")) == 1
