"""The image catalogue maps names to commands and refuses a file it does not understand."""

import sys
from pathlib import Path

import pytest

from runbook_lib.emulator.catalogue import CatalogueError, load_catalogue


def test_the_sample_images_are_built_in() -> None:
    image = load_catalogue(None).find("sample-agent:healthy")
    assert image is not None
    assert image.command == (
        sys.executable,
        "-m",
        "runbook_lib.emulator.sample_service",
        "--variant",
        "healthy",
    )


def test_all_sample_images_of_one_staging_take_each_others_tokens_and_no_other_stagings() -> None:
    here, there = load_catalogue(None), load_catalogue(None)
    images = (
        here.find("sample-agent:healthy"),
        here.find("sample-agent:previous"),
        there.find("sample-agent:healthy"),
    )
    ours, beside, elsewhere = (image.env["JWT_SECRET_KEY"] for image in images if image)
    assert ours == beside != elsewhere
    assert len(ours) >= 48


@pytest.mark.parametrize("name", ["sample-agent:unheard-of", "sample-agent", "healthy", ""])
def test_a_name_that_nobody_built_is_not_found(name: str) -> None:
    assert load_catalogue(None).find(name) is None


def test_a_file_adds_images_with_folders_relative_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.yaml"
    path.write_text("images: {'mine:1': {command: [node, server.js, 8], cwd: app, env: {A: 1}}}")
    catalogue = load_catalogue(path)

    image = catalogue.find("mine:1")
    assert image is not None
    assert (image.command, image.cwd) == (("node", "server.js", "8"), str(tmp_path / "app"))
    assert dict(image.env) == {"A": "1"}
    assert catalogue.find("sample-agent:healthy")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("images: {x: {comand: [a]}}", "images.x: allowed are command, cwd, env"),
        ("images: {x: {command: []}}", "images.x.command: must be a list with at least one word"),
        ("images: {x: {command: run}}", "images.x.command: must be a list with at least one word"),
        ("pictures: {}", "the only key allowed at the top is images"),
        ("images: [a]", "images: must be a mapping of names to images"),
        ("images: [", "while parsing"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(CatalogueError) as refused:
        load_catalogue(path)
    assert str(path) in str(refused.value)
    assert problem in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="No such file"):
        load_catalogue(tmp_path / "absent.yaml")
