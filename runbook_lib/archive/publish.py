"""Copy a sealed run to where others read it; half a run is never seen there."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from runbook_lib.archive.manifest import verify
from runbook_lib.archive.places import MANIFEST, Place, place, reaching
from runbook_lib.archive.scan import demand_clean
from runbook_lib.errors import ArchiveError


def publish(folder: Path, target: str, known_secrets: Iterable[str]) -> Place:
    """Copy the run below the folder or URL `target` and return where it is; safe to repeat.

    On a disk the whole folder appears at once, by its name. Object storage has no such act: there the
    manifest is written last, and what has no manifest is no run to anything that reads archives.

    Raises:
        SecretFound: If a secret stands in it.
        ArchiveError: If the run is not as it was sealed, or the target cannot be written.
    """
    here, there = place(str(folder.resolve())), place(target)
    verified = verify(here)
    if verified.findings:
        first = verified.findings[0]
        changed = f"{folder.name} was not published, {first.file} {first.detail}"
        raise ArchiveError(f"{changed}: look at it, then run `runbook report`")
    demand_clean(folder, known_secrets)
    goal = there / folder.resolve().name
    if goal.has(MANIFEST) and goal.read(MANIFEST) == here.read(MANIFEST):
        return goal  # there already, and as it is here
    with reaching(goal):
        (_move_into_place if "file" in _protocols(goal) else _write_manifest_last)(here, goal)
    return goal


def _move_into_place(here: Place, goal: Place) -> None:
    """Copy beside the goal, under a name that no reader takes for a run, and rename."""
    mark, parent = secrets.token_hex(4), Path(goal.path).parent
    copy, old = (parent / f".{goal.name}.{mark}.{what}" for what in ("new", "old"))
    try:
        for name in here.files():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(here.read(name))
        if Path(goal.path).exists():
            Path(goal.path).rename(old)
        copy.rename(goal.path)
    finally:
        for left in (copy, old):
            if left.exists():
                goal.system.rm(str(left), recursive=True)


def _write_manifest_last(here: Place, goal: Place) -> None:
    if goal.has(MANIFEST):
        goal.system.rm_file(f"{goal.path}/{MANIFEST}")
    names = here.files()
    for name in (*(name for name in names if name != MANIFEST), MANIFEST):
        goal.system.pipe_file(f"{goal.path}/{name}", here.read(name))
    for name in set(goal.files()) - set(names):
        goal.system.rm_file(f"{goal.path}/{name}")


def _protocols(where: Place) -> tuple[str, ...]:
    known = where.system.protocol
    return (known,) if isinstance(known, str) else tuple(known)
