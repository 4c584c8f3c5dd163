"""A run is published whole, to a disk or a bucket, unless a secret stands in it; old runs are pruned."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from gcp_storage_emulator.server import create_server
from sealed_runs import NOW, sealed_run

from runbook_lib.archive.manifest import seal, verify
from runbook_lib.archive.places import place
from runbook_lib.archive.prune import Kept, remove, too_old
from runbook_lib.archive.publish import publish
from runbook_lib.archive.scan import scan
from runbook_lib.errors import ArchiveError, SecretFound

SECRET = "correct-horse-battery-4711"  # noqa: S105 - made up


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of a local Cloud Storage, reached by the real client."""
    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="archive")
    server.start()
    port = server._api._httpd.server_address[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        yield "gs://archive/runs"
    server.stop()


@pytest.fixture(params=["disk", "memory", "bucket"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(tmp_path / "there")
    if request.param == "memory":
        return f"memory://{tmp_path.name}"
    return f"{request.getfixturevalue('bucket')}/{tmp_path.name}"


def test_a_published_run_can_be_verified_where_it_is(target: str, tmp_path: Path) -> None:
    folder = sealed_run(tmp_path / "outputs", "20261126-a")
    goal = publish(folder, target, ())
    assert goal.address == f"{target}/20261126-a"
    assert verify(goal).findings == ()
    assert [run.name for run in place(target).runs()] == ["20261126-a"]
    goal.system.pipe_file(f"{goal.path}/report.html", b"<p>another story")
    assert [found.file for found in verify(goal).findings] == ["report.html"]


def test_publishing_again_replaces_the_run_by_what_it_has_become(target: str, tmp_path: Path) -> None:
    folder = sealed_run(tmp_path / "outputs", "20261126-a")
    publish(folder, target, ())
    (folder / "report.html").write_text("<p>rolled back</p>")
    (folder / "evidence" / "deploy.json").unlink()
    seal(folder, "chat", NOW)
    goal = publish(folder, target, ())
    assert verify(goal).findings == ()
    assert goal.read("report.html") == b"<p>rolled back</p>"
    assert publish(folder, target, ()) == goal


def test_what_has_no_manifest_yet_is_no_run_to_a_reader(target: str) -> None:
    half = place(target) / "20261126-half"
    half.system.makedirs(half.path, exist_ok=True)
    half.system.pipe_file(f"{half.path}/plan.yaml", b"issue: {}")
    assert half not in place(target).runs()


def test_a_reader_of_a_folder_never_sees_half_a_run(tmp_path: Path) -> None:
    folder = sealed_run(tmp_path / "outputs", "20261126-a")
    for number in range(200):
        (folder / "evidence" / f"{number}.json").write_text("[]")
    seal(folder, "chat", NOW)
    there, done, seen = tmp_path / "there", threading.Event(), set()

    def look() -> None:
        while not done.is_set():
            if (there / "20261126-a").exists():
                seen.add(len(list((there / "20261126-a").rglob("*.json"))))

    reader = threading.Thread(target=look)
    reader.start()
    try:
        publish(folder, str(there), ())
    finally:
        done.set()
        reader.join()
    assert seen <= {202}  # nothing yet, or all of it
    assert [path.name for path in there.iterdir()] == ["20261126-a"]


def test_a_run_that_was_changed_after_it_was_sealed_is_not_published(tmp_path: Path) -> None:
    folder = sealed_run(tmp_path / "outputs", "20261126-a")
    (folder / "report.html").write_text("<p>another story")
    with pytest.raises(ArchiveError) as caught:
        publish(folder, str(tmp_path / "there"), ())
    said = "20261126-a was not published, report.html had 27 bytes, has 16"
    assert str(caught.value) == f"{said}: look at it, then run `runbook report`"
    assert not (tmp_path / "there").exists()


def _write(folder: Path, kind: str) -> str:
    """Plant the secret into a file of `kind` and return the file's name."""
    if kind == "parquet":
        pd.DataFrame({"message": ["fine"] * 500 + [f"login with {SECRET}"]}).to_parquet(
            folder / "logs.parquet"
        )
        return "logs.parquet"
    texts = {
        "json": json.dumps({"a": [{"b": SECRET}]}), "text": f"x{SECRET}y", "name": "",
        "escaped": json.dumps(SECRET.replace("-", "\u00e9")), "base64": "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LTQ3MTE",
        "shape": "token=ghp_" + "a1B2" * 9, "notebook": json.dumps({"metadata": {"p": {SECRET: 1}}}),
    }  # fmt: skip
    name = (
        f"{SECRET}.txt" if kind == "name" else f"planted.{'json' if kind in ('json', 'escaped') else 'txt'}"
    )
    (folder / name).write_text(texts[kind])
    return name


@pytest.mark.parametrize(
    "kind", ["json", "text", "name", "escaped", "base64", "shape", "notebook", "parquet"]
)
def test_a_run_that_holds_a_secret_is_not_published(kind: str, tmp_path: Path) -> None:
    folder = sealed_run(tmp_path / "outputs", "20261126-a")
    name = _write(folder, kind)
    seal(folder, "chat", NOW)
    secrets = (SECRET, SECRET.replace("-", "\u00e9"))
    with pytest.raises(SecretFound) as caught:
        publish(folder, str(tmp_path / "there"), secrets)
    assert f"it holds a secret ({'the name of a file' if kind == 'name' else name}: " in str(caught.value)
    assert SECRET not in str(caught.value)
    assert not (tmp_path / "there").exists()


def test_a_file_that_cannot_be_read_is_not_called_clean(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no more")
    (tmp_path / "b.json").write_text("{")
    assert [(leak.file, leak.where) for leak in scan(tmp_path, ())] == [
        ("a.parquet", "it is no whole parquet file, so nobody knows"),
        ("b.json", "it is no whole json file, so nobody knows"),
    ]


def test_what_is_masked_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(
        "Authorization: Bearer [redacted]\nGET /ws?token=[redacted]\n[redacted]"
    )
    assert scan(tmp_path, (SECRET,)) == ()


def test_an_address_that_nothing_knows_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"^nowhere://x cannot be reached: Protocol not known: nowhere"):
        place("nowhere://x")
    with pytest.raises(ArchiveError, match=r"is no folder: give the one that holds the run folders$"):
        place(str(tmp_path / "absent")).runs()


def test_a_run_goes_only_when_neither_its_age_nor_its_rank_keeps_it(tmp_path: Path) -> None:
    for day, service in ((1, "chat"), (2, "other"), (3, "chat"), (60, "chat"), (61, "chat")):
        sealed_run(tmp_path, f"run-{day:03}-{service}", service=service, now=NOW + timedelta(days=day))
    unfinished = tmp_path / "run-000-unfinished"
    unfinished.mkdir()
    outputs, now = place(str(tmp_path)), NOW + timedelta(days=70)

    def names(kept: Kept) -> list[str]:
        return [run.name for run in too_old(outputs, kept, now)]

    assert names(Kept(runs=1, days=30)) == ["run-001-chat", "run-003-chat"]
    assert names(Kept(runs=3, days=30)) == ["run-001-chat"]
    assert names(Kept(runs=1, days=90)) == []
    for run in too_old(outputs, Kept(runs=1, days=30), now):
        remove(run)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "run-000-unfinished", "run-002-other", "run-060-chat", "run-061-chat"
    ]  # fmt: skip


def test_a_bucket_is_pruned_like_a_folder(bucket: str, tmp_path: Path) -> None:
    target = f"{bucket}/{tmp_path.name}"
    for run_id in ("run-1", "run-2"):
        publish(sealed_run(tmp_path, run_id), target, ())
    (old,) = too_old(place(target), Kept(runs=1, days=1), NOW + timedelta(days=9))
    remove(old)
    assert [run.name for run in place(target).runs()] == ["run-2"]
