"""Choose and remove runs that are kept long enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook_lib.archive.manifest import Manifest, read_manifest
from runbook_lib.archive.places import MANIFEST, Place, reaching


@dataclass(frozen=True, kw_only=True)
class Kept:
    """How long runs are kept: each is, that is among the newest of its service or young enough.

    Attributes:
        runs: So many of each service.
        days: So many days after it was sealed.
    """

    runs: int
    days: float


def too_old(outputs: Place, kept: Kept, now: datetime) -> tuple[Place, ...]:
    """Return the sealed runs that nothing keeps, oldest first; never one without a manifest."""
    found = [(run, manifest) for run in outputs.runs() if (manifest := read_manifest(run))]
    return tuple(reversed(list(_unkept(found, kept, now))))


def remove(run: Place) -> None:
    """Remove a run; its manifest goes first, so that what is left if this is cut short is no run."""
    with reaching(run):
        run.system.rm_file(f"{run.path}/{MANIFEST}")
        run.system.rm(run.path, recursive=True)


def _unkept(found: list[tuple[Place, Manifest]], kept: Kept, now: datetime) -> Iterator[Place]:
    seen: Counter[str] = Counter()
    for run, manifest in reversed(found):
        seen[manifest.service] += 1
        if seen[manifest.service] > kept.runs and now - manifest.sealed > timedelta(days=kept.days):
            yield run
