"""The project's folders are found from wherever the notebooks or the command were started."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib.errors import PlanError
from runbook_lib.places import find_file, project_root

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like a checkout, with a plan in its notebooks and a deep folder."""
    for name in ("notebooks/01_deploy.ipynb", "notebooks/plans/own.yaml", "deep/er/note.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}", encoding="utf-8")
    return tmp_path.resolve()


def test_the_root_of_this_very_checkout_is_found_from_this_file() -> None:
    assert project_root(Path(__file__)) == ROOT


@pytest.mark.parametrize("start", ["", "notebooks", "notebooks/plans", "deep/er", "not/made/yet"])
def test_the_root_is_the_nearest_folder_above_that_holds_the_notebooks(checkout: Path, start: str) -> None:
    assert project_root(checkout / start) == checkout


def test_the_root_is_looked_for_from_here_unless_told(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout / "deep")
    assert project_root() == checkout


def test_outside_of_a_checkout_there_is_no_root(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as caught:
        project_root(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path.resolve()} is not inside a checkout of the runbook: "
        "notebooks/01_deploy.ipynb is in no folder above it"
    )


@pytest.mark.parametrize(
    ("here", "name", "expected"),
    [
        ("deep", "er/note.txt", "deep/er/note.txt"),
        ("deep", "notebooks/plans/own.yaml", "notebooks/plans/own.yaml"),
        ("deep", "plans/own.yaml", "notebooks/plans/own.yaml"),
        ("notebooks", "plans", "notebooks/plans"),
    ],
)
def test_a_file_is_looked_for_here_then_in_the_root_then_in_the_notebooks(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, here: str, name: str, expected: str
) -> None:
    monkeypatch.chdir(checkout / here)
    assert find_file(name) == checkout / expected


def test_a_whole_path_is_taken_as_it_is(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    assert find_file(str(checkout / "deep")) == checkout / "deep"


def test_a_file_that_is_nowhere_is_said_to_be_looked_for_in_all_places(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout)
    with pytest.raises(PlanError) as caught:
        find_file("none.yaml")
    assert str(caught.value) == (
        f"no such file or folder: none.yaml (looked here, in {checkout} and in its notebooks)"
    )
