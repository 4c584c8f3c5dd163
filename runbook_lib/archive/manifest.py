"""Seal a run: SHA-256 of every file, chained to the run before it; and find whatever changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, ValidationError

from runbook_lib.archive.places import MANIFEST, Place, place
from runbook_lib.disk import write_atomically
from runbook_lib.evidence import Record

Kind = Literal["changed", "missing", "added", "chain"]
_SIGNATURES = f"{MANIFEST}."
"""What a signing tool may put beside the manifest, e.g. `manifest.json.asc`, `manifest.json.sigstore`."""

_JUDGED = (MANIFEST, "plan.yaml", "verdict.json")
_LEFT_BY_ACTS = ("evidence/promote.json", "evidence/rollback.json")


class SealedFile(Record):
    """What one file was when the run was sealed."""

    sha256: str
    bytes: int


class Link(Record):
    """The run before: its id, and the SHA-256 of its manifest at that time."""

    run_id: str
    manifest_sha256: str


class Manifest(Record):
    """The content of `manifest.json`, schema 2.

    Attributes:
        earlier: SHA-256 of this run's earlier manifests, oldest first: it was sealed anew after each act.
        previous: The run of the same service that was sealed last before this one.
        files: Every other file, by its path.
        seal: SHA-256 of all of the above, so that no byte of this file can change unseen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[2] = Field(default=2, alias="schema")
    run_id: str
    service: str
    sealed: datetime
    previous: Link | None = None
    earlier: tuple[str, ...] = ()
    files: dict[str, SealedFile]
    seal: str = ""

    def content(self) -> bytes:
        """Return the file's bytes; there is only one way to write it."""
        fields = self.model_dump(mode="json", by_alias=True, exclude={"seal"})
        seal = _sha256(json.dumps(fields, sort_keys=True).encode())
        return (json.dumps({**fields, "seal": seal}, indent=1, ensure_ascii=False) + "\n").encode()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it was sealed. `file` is its path in the run folder."""

    kind: Kind
    file: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What came of looking at a run.

    Attributes:
        files: How many files were compared.
        links: How many runs before it the chain was followed to.
        end: Why the chain was followed no further.
    """

    files: int
    findings: tuple[Finding, ...]
    links: int
    end: str


def seal(folder: Path, service: str, now: datetime) -> Manifest:
    """Write `manifest.json` over everything in `folder`; what has not changed since is not sealed again."""
    here = place(str(folder))
    before, raw = _found(here)
    files = {name: _sealed(here.read(name)) for name in _own_files(here)}
    if before and before.files == files:
        return before
    manifest = Manifest(
        run_id=folder.resolve().name, service=service, sealed=now, files=files,
        previous=before.previous if before else _last_of(service, folder.resolve()),
        earlier=(*before.earlier, _sha256(raw)) if before else (),
    )  # fmt: skip
    write_atomically(folder / MANIFEST, manifest.content())
    return manifest


@contextmanager
def sealed_anew(folder: Path, service: str, now: Callable[[], datetime]) -> Iterator[None]:
    """Seal a run again after an act on it, however that ends.

    One that was never sealed stays so, and so does one that was altered since: a new seal would hide that.
    """
    is_intact = (folder / MANIFEST).is_file() and not altered(folder)
    try:
        yield
    finally:
        if is_intact:
            seal(folder, service, now())


def verify(run: Place) -> Verified:
    """Compare every byte of a run with its manifest, and its manifest with the chain."""
    manifest, findings = _held_against_manifest(run)
    if manifest is None:
        return Verified(files=0, links=0, end="", findings=findings)
    links, end, broken = _follow(run, manifest)
    return Verified(files=len(manifest.files), findings=(*findings, *broken), links=links, end=end)


def altered(folder: Path) -> tuple[Finding, ...]:
    """Return what a run's verdict rests on and is not as it was sealed; none where it never was."""
    run = place(str(folder))
    if not run.has(MANIFEST):
        return ()
    return tuple(finding for finding in _held_against_manifest(run)[1] if _bears_the_verdict(finding))


def read_manifest(run: Place) -> Manifest | None:
    """Return a run's manifest, or None where there is none that can be read."""
    return _found(run)[0]


def _held_against_manifest(run: Place) -> tuple[Manifest | None, tuple[Finding, ...]]:
    """Return the manifest, None where it is not there or not as it was sealed, and what differs from it."""
    manifest, raw = _found(run)
    if manifest is None or manifest.content() != raw:
        what = "was changed after it was sealed" if raw else "is not there: the run was never sealed"
        kind: Kind = "changed" if raw else "missing"
        return None, (Finding(kind=kind, file=MANIFEST, detail=what),)
    return manifest, tuple(_compare(run, manifest))


def _bears_the_verdict(finding: Finding) -> bool:
    if finding.kind not in ("changed", "missing") or finding.file in _LEFT_BY_ACTS:
        return False
    return finding.file in _JUDGED or finding.file.startswith("evidence/")


def _compare(run: Place, manifest: Manifest) -> Iterator[Finding]:
    there = set(_own_files(run))
    for name, sealed in manifest.files.items():
        if name not in there:
            yield Finding(kind="missing", file=name, detail="was sealed and is gone")
        elif (now := _sealed(run.read(name))) != sealed:
            yield Finding(kind="changed", file=name, detail=_difference(sealed, now))
    for name in sorted(there - manifest.files.keys()):
        yield Finding(kind="added", file=name, detail="was not there when the run was sealed")


def _difference(before: SealedFile, now: SealedFile) -> str:
    if before.bytes != now.bytes:
        return f"had {before.bytes:,} bytes, has {now.bytes:,}"
    return f"SHA-256 was {before.sha256[:12]}…, is {now.sha256[:12]}…"


def _follow(run: Place, manifest: Manifest) -> tuple[int, str, tuple[Finding, ...]]:
    """Follow the chain through the folders beside it; a manifest sealed anew names its earlier selves."""
    outputs = Place(run.system, run.path.rpartition("/")[0], run.address.rpartition("/")[0] or ".")
    links, link = 0, manifest.previous
    while link:
        before, raw = _found(outputs / link.run_id)
        if not raw:
            return links, f"{link.run_id} is not beside it", ()
        if (
            before is None
            or before.content() != raw
            or link.manifest_sha256 not in (_sha256(raw), *before.earlier)
        ):
            broken = Finding(kind="chain", file=f"../{link.run_id}/{MANIFEST}",
                             detail="is not the manifest that the run after it was chained to")  # fmt: skip
            return links, "", (broken,)
        links, link = links + 1, before.previous
    return links, "it began there", ()


def _found(run: Place) -> tuple[Manifest | None, bytes]:
    """Return a run's manifest, None where it is no manifest, and its bytes, empty where there is none."""
    raw = run.read(MANIFEST) if run.has(MANIFEST) else b""
    try:
        return (Manifest.model_validate_json(raw) if raw else None), raw
    except ValidationError:
        return None, raw


def _last_of(service: str, folder: Path) -> Link | None:
    """Return the newest sealed run of the service beside `folder` that is older than it."""
    for run in reversed(place(str(folder.parent)).runs()):
        if run.name < folder.name:
            found, raw = _found(run)
            if found and found.service == service:
                return Link(run_id=run.name, manifest_sha256=_sha256(raw))
    return None


def _own_files(run: Place) -> list[str]:
    return [name for name in run.files() if name != MANIFEST and not name.startswith(_SIGNATURES)]


def _sealed(content: bytes) -> SealedFile:
    return SealedFile(sha256=_sha256(content), bytes=len(content))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
