"""A sealed run shows every byte that changed since, and is chained to the run before it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from sealed_runs import NOW, sealed_run

from runbook_lib.archive.manifest import Manifest, Verified, seal, verify
from runbook_lib.archive.places import place


def looked_at(folder: Path) -> Verified:
    return verify(place(str(folder)))


def named(folder: Path) -> list[tuple[str, str]]:
    return [(found.kind, found.file) for found in looked_at(folder).findings]


def test_the_manifest_has_the_hash_and_size_of_every_other_file(tmp_path: Path) -> None:
    folder = sealed_run(tmp_path, "20261126-a")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["schema"] == 2
    assert (manifest["run_id"], manifest["service"]) == ("20261126-a", "chat")
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert manifest["files"].keys() == there - {"manifest.json"}
    for name, said in manifest["files"].items():
        content = (folder / name).read_bytes()
        assert said == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def test_a_run_as_it_was_sealed_has_no_findings(tmp_path: Path) -> None:
    verified = looked_at(sealed_run(tmp_path, "20261126-a"))
    assert (verified.findings, verified.files, verified.end) == ((), 4, "it began there")


def test_any_flipped_byte_of_any_file_names_that_file(tmp_path: Path) -> None:
    folder = sealed_run(tmp_path, "20261126-a")
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name, good = str(path.relative_to(folder)), path.read_bytes()
        for at in range(len(good)):
            path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
            assert named(folder) == [("changed", name)], (name, at)
        path.write_bytes(good)
    assert named(folder) == []


def test_files_that_are_gone_or_new_are_named_and_a_signature_of_the_manifest_is_not(tmp_path: Path) -> None:
    folder = sealed_run(tmp_path, "20261126-a")
    (folder / "evidence" / "deploy.json").unlink()
    (folder / "evidence" / ".hidden").write_text("")
    (folder / "manifest.json.asc").write_text("a signature")
    assert named(folder) == [("missing", "evidence/deploy.json"), ("added", "evidence/.hidden")]


def test_a_run_that_was_never_sealed_is_not_good(tmp_path: Path) -> None:
    folder = sealed_run(tmp_path, "20261126-a")
    (folder / "manifest.json").unlink()
    (found,) = looked_at(folder).findings
    assert (found.kind, found.file) == ("missing", "manifest.json")
    assert found.detail == "is not there: the run was never sealed"


def test_a_run_is_chained_to_the_last_one_of_its_service(tmp_path: Path) -> None:
    first = sealed_run(tmp_path, "20261126-a")
    sealed_run(tmp_path, "20261126-b", service="other")
    second = sealed_run(tmp_path, "20261126-c")
    manifest = Manifest.model_validate_json((second / "manifest.json").read_bytes())
    assert manifest.previous is not None
    assert manifest.previous.run_id == "20261126-a"
    assert (
        manifest.previous.manifest_sha256
        == hashlib.sha256((first / "manifest.json").read_bytes()).hexdigest()
    )
    assert looked_at(sealed_run(tmp_path, "20261126-d")).links == 2


def test_an_earlier_run_that_was_made_anew_breaks_the_chain(tmp_path: Path) -> None:
    first, second = sealed_run(tmp_path, "20261126-a"), sealed_run(tmp_path, "20261126-b")
    (first / "report.html").write_text("<p>another story")
    (first / "manifest.json").unlink()
    seal(first, "chat", NOW)
    assert named(first) == []
    assert named(second) == [("chain", "../20261126-a/manifest.json")]


def test_a_run_that_goes_on_is_sealed_again_and_stays_in_the_chain(tmp_path: Path) -> None:
    first, second = sealed_run(tmp_path, "20261126-a"), sealed_run(tmp_path, "20261126-b")
    (first / "report.html").write_text("<p>rolled back</p>")
    seal(first, "chat", NOW)
    assert named(second) == []
    assert len(Manifest.model_validate_json((first / "manifest.json").read_bytes()).earlier) == 1


def test_sealing_what_has_not_changed_leaves_the_manifest_as_it_was(tmp_path: Path) -> None:
    folder = sealed_run(tmp_path, "20261126-a")
    before = (folder / "manifest.json").read_bytes()
    seal(folder, "chat", NOW.replace(hour=9))
    assert (folder / "manifest.json").read_bytes() == before


def test_a_run_whose_predecessor_was_pruned_is_good_and_says_where_the_chain_ends(tmp_path: Path) -> None:
    first, second = sealed_run(tmp_path, "20261126-a"), sealed_run(tmp_path, "20261126-b")
    first.rename(tmp_path / "elsewhere")
    verified = looked_at(second)
    assert (verified.findings, verified.end) == ((), "20261126-a is not beside it")


@pytest.mark.parametrize("field", ["run_id", "service", "sealed"])
def test_a_manifest_that_was_edited_by_hand_is_found(tmp_path: Path, field: str) -> None:
    folder = sealed_run(tmp_path, "20261126-a")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest[field] = "2026-11-27T00:00:00Z"
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    assert named(folder) == [("changed", "manifest.json")]
