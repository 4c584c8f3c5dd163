"""The command line's help and refusals, as a stranger reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_group

from runbook_lib.cli.app import app
from runbook_lib.cli.entry import OVERVIEW
from runbook_lib.cli.help_text import overview
from runbook_lib.cli.parameters import parameters_of
from runbook_lib.errors import PlanError

ROOT = Path(__file__).parents[2]
COMMANDS = (
    "run",
    "resume",
    "run-all",
    "lint",
    "preflight",
    "status",
    "logs",
    "report",
    "verdict",
    "approve",
    "reject",
    "promote",
    "rollback",
    "selftest",
    "lab",
    "emulator",
    "version",
    "verify",
    "publish",
    "prune",
    "diff",
    "history",
    "comment",
)


def runbook(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "runbook", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_the_help_names_every_command_and_the_exit_codes() -> None:
    ended = runbook("--help")
    assert ended.returncode == 0
    lines = ended.stdout.splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]
    assert tuple(listed) == COMMANDS
    assert max(map(len, lines)) <= 80
    words = " ".join(ended.stdout.split())
    assert (
        "Exit codes: 0 proceed, 10 investigate, 20 rollback, 2 bad plan or usage, 3 could not look, "
        "130 interrupted." in words
    )


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "emulator"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        get_group(app).main([command, "--help"], prog_name="runbook")
    assert ended.value.code == 0
    assert f"Usage: runbook {command}" in capsys.readouterr().out


def test_the_overview_is_what_the_commands_say_of_themselves() -> None:
    text = Path(OVERVIEW).read_text("utf-8")
    assert text == overview(), "run `python -m runbook_lib.cli.help_text` to write it anew"


def test_without_a_command_the_overview_is_shown_as_bad_usage() -> None:
    ended = runbook()
    assert (ended.returncode, ended.stdout) == (2, overview())


def test_the_emulators_own_help_is_reached() -> None:
    assert "A local Cloud Run" in runbook("emulator", "--help").stdout


def test_an_unknown_command_ends_with_2() -> None:
    assert runbook("vaildate").returncode == 2


def test_a_good_plan_is_called_good_and_the_seeds_own_commands_are_explained() -> None:
    ended = runbook("lint", "notebooks/plans/issue-891.yaml")
    assert ended.returncode == 0
    assert ended.stdout.endswith("notebooks/plans/issue-891.yaml is a good plan: 28 criteria, 5 suites\n")
    assert "note: suites.golden-path: Python cannot run `tests/e2e/test_golden_path" in ended.stdout


def test_parameters_stay_text() -> None:
    given = parameters_of(["candidate=chat:1.10", "a.b=1234e56", "c=", "d=x=y"])
    assert given == {"candidate": "chat:1.10", "a.b": "1234e56", "c": "", "d": "x=y"}


@pytest.mark.parametrize("text", ["candidate", "=x", ""])
def test_a_parameter_without_a_name_or_a_value_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="is no parameter: write NAME=VALUE"):
        parameters_of([text])
