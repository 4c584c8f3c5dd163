"""What is not needed is not imported: counted, since seconds are another thing on every machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LISTED = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
CLOUD = {"google.cloud", "google.api_core", "grpc"}
TABLES = {"numpy", "pandas", "pyarrow"}
PICTURES = {"plotly", "jinja2"}
NOTEBOOKS = {"IPython", "ipykernel", "jupyter_client", "papermill"}
GRAMMARS = {"rfc3987_syntax", "lark"}


def imported(code: str) -> set[str]:
    """Return the modules of a Python process that has run `code`."""
    ended = subprocess.run(
        [sys.executable, "-c", LISTED + code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return set(ended.stderr.split())


def command(*arguments: str) -> str:
    return f"sys.argv = {['runbook', *arguments]}; from runbook_lib.cli.entry import main; main()"


@pytest.fixture(scope="module")
def nothing() -> set[str]:
    """What Python imports for itself."""
    return imported("pass")


def test_the_overview_imports_nothing(nothing: set[str]) -> None:
    more = imported(command("--help")) - nothing
    assert more <= {"__future__", "runbook_lib", "runbook_lib.cli", "runbook_lib.cli.entry"}


def test_the_help_of_a_command_imports_no_work(nothing: set[str]) -> None:
    more = imported(command("run", "--help")) - nothing
    assert "typer" in more
    assert more.isdisjoint(CLOUD | TABLES | PICTURES | NOTEBOOKS)


def test_lint_imports_the_plan_and_little_else(nothing: set[str]) -> None:
    more = imported(command("lint", "notebooks/plans/issue-891.yaml")) - nothing
    assert "runbook_lib.plan.notes" in more
    assert more.isdisjoint(CLOUD | TABLES | PICTURES | NOTEBOOKS)
    assert len(more) < 400


def test_a_headless_run_leaves_the_cloud_and_the_pictures_to_its_kernels(nothing: set[str]) -> None:
    more = imported("import runbook_lib.headless") - nothing
    assert "papermill" in more
    assert more.isdisjoint(CLOUD | PICTURES | GRAMMARS)
