"""Hold the frame together: dependency files agree, files stay short, CI and hooks run what `make` runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
MAX_LINES = 400
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
# One pin: its requirement, an optional marker, and the hashes on the lines that follow.
PIN = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?P<marker> ;[^\\\n]*)?(?P<hashes>( \\\n +--hash=\S+)*)$", re.M
)
ADDRESS_OR_PATH = re.compile(
    r"://|file:|--(extra-)?index-url|--find-links|--trusted-host|^-|^\S*/|\s@\s", re.M
)


def requirements(lines: Iterable[str]) -> dict[str, str]:
    """Return the bounds of each requirement by its normalised name."""
    parsed = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): str(each.specifier) for each in parsed}


def wanted() -> dict[str, str]:
    """Return every requirement of pyproject.toml: to run, of each extra, and to build."""
    extras = PROJECT["optional-dependencies"].values()
    lines = [*PROJECT["dependencies"], *PYPROJECT["build-system"]["requires"]]
    return requirements([*lines, *(line for extra in extras for line in extra)])


def conda() -> dict[str, str]:
    """Return every requirement of environment.yml but Python itself and the project."""
    entries = YAML(typ="safe").load(ROOT / "environment.yml")["dependencies"]
    from_conda = [entry for entry in entries if isinstance(entry, str) and not entry.startswith("python>")]
    (from_pip,) = [entry["pip"] for entry in entries if not isinstance(entry, str)]
    return requirements([*from_conda, *(line for line in from_pip if not line.startswith("--editable"))])


def test_conda_users_get_the_same_packages_and_bounds() -> None:
    assert conda() == wanted()


def test_conda_users_get_the_same_python_and_the_project_itself() -> None:
    text = (ROOT / "environment.yml").read_text("utf-8")
    assert f"  - python{PROJECT['requires-python']}\n" in text
    assert "      - --editable .\n" in text


def test_every_requirement_has_a_reason_in_the_first_decision() -> None:
    (decision,) = (ROOT / "docs" / "decisions").glob("0001-*.md")
    row = r"^\|(?: (?:analytics|dask|emulator|gcs|github|lab|dev) \|)? ([a-z][a-z0-9., -]+) \|"
    rows = re.findall(row, decision.read_text("utf-8"), re.M)
    reasons = {canonicalize_name(name) for row in rows for name in row.split(", ")} - {"package", "extra"}
    assert reasons == wanted().keys()


def test_every_decision_has_a_number_of_its_own_and_says_it() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    titles = [record.read_text("utf-8").partition(".")[0] for record in records]
    assert titles == [f"# {number}" for number in range(1, len(records) + 1)]
    assert [record.name[:4] for record in records] == [
        f"{number:04}" for number in range(1, len(records) + 1)
    ]


def test_every_requirement_has_a_lower_bound() -> None:
    assert [name for name, bounds in wanted().items() if not bounds.startswith(">=")] == []


def test_the_lock_is_nothing_but_pins() -> None:
    comments = re.compile(r"^#.*\n", re.M)
    assert PIN.sub("", comments.sub("", LOCK)).strip() == ""


def test_every_pin_of_the_lock_has_hashes() -> None:
    assert [pin["name"] for pin in PIN.finditer(LOCK) if not pin["hashes"]] == []


def test_the_lock_pins_every_requirement_within_its_bounds() -> None:
    pins = {canonicalize_name(pin["name"]): Version(pin["version"]) for pin in PIN.finditer(LOCK)}
    bounds = {name: Requirement(f"{name}{bound}").specifier for name, bound in wanted().items()}
    assert [name for name, bound in bounds.items() if name not in pins or pins[name] not in bound] == []


def test_the_lock_names_no_host_and_no_path() -> None:
    assert ADDRESS_OR_PATH.findall(LOCK) == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://registry.test/simple",
        "-e /srv/thing",
        "thing @ file:///srv/thing.whl",
        "./thing.whl",
    ],
)
def test_a_host_or_a_path_in_the_lock_would_be_found(line: str) -> None:
    assert ADDRESS_OR_PATH.search(f"{LOCK}{line}\n")


def too_long(folder: Path) -> list[str]:
    """Return the text files of the folder that have more lines than the house allows."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return [str(path.relative_to(folder)) for path in files if path.read_bytes().count(b"\n") > MAX_LINES]


@pytest.mark.parametrize("folder", ["runbook_lib", "tests"])
def test_no_file_is_too_long(folder: str) -> None:
    assert too_long(ROOT / folder) == []


def test_a_file_of_one_line_too_many_is_found(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("\n" * (MAX_LINES + 1))
    (tmp_path / "full.py").write_text("\n" * MAX_LINES)
    assert too_long(tmp_path) == ["long.py"]


def test_ci_runs_the_targets_that_engineers_run() -> None:
    ci = ROOT / ".ci" / "run"
    assert os.access(ci, os.X_OK)
    called = [line for line in ci.read_text("utf-8").splitlines() if line.startswith("make ")]
    assert called == ["make lint", "make types", "make test"]


def test_make_alone_lists_every_target() -> None:
    shown = subprocess.run([make(), "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert re.findall(r"^  make (\w+) +\S", shown, re.M) == phony.split()


def test_set_up_without_a_python_says_what_to_install(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "sh").symlink_to("/bin/sh")
    command = [make(), "-C", str(tmp_path), "setup"]
    done = subprocess.run(
        command, env={"PATH": str(tmp_path / "tools")}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "set-up found no Python 3.11 or newer with its venv module" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_hooks_fetch_nothing_and_every_tool_of_theirs_is_in_the_lock() -> None:
    repos = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"]
    hooks = [hook for repo in repos for hook in repo["hooks"]]
    assert {repo["repo"] for repo in repos} == {"local"}
    tools = {Path(hook["entry"].split()[0]).name for hook in hooks} - PROJECT["scripts"].keys()
    assert tools <= {pin["name"] for pin in PIN.finditer(LOCK)}


def test_hooks_and_make_strip_the_same_keys_of_notebooks() -> None:
    (keys,) = re.findall(r"^STRIP_KEYS := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert f'--extra-keys "{keys}"' in (ROOT / ".pre-commit-config.yaml").read_text("utf-8")


def test_the_python_of_the_checks_is_the_oldest_one_allowed() -> None:
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert sys.version_info >= tuple(map(int, oldest.split(".")))


def make() -> str:
    """Return the path of make, so that a test can take everything else off the PATH."""
    found = shutil.which("make")
    assert found, "make is needed: install Debian's package make"
    return found
