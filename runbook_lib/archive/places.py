"""Reach run folders on this disk and in object storage alike (fsspec); knows nothing of what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import fsspec

from runbook_lib.errors import ArchiveError

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Place:
    """A folder somewhere: on this disk, or behind a URL such as `gs://bucket/runs`.

    Attributes:
        system: The fsspec file system.
        path: The folder's path in it, without a slash at its end.
        address: How a person writes it.
    """

    system: Any
    path: str
    address: str

    def __truediv__(self, name: str) -> Place:
        return Place(self.system, f"{self.path}/{name}", f"{self.address.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        """The folder's own name; of a run folder that is the run's id."""
        return self.path.rpartition("/")[2]

    def files(self) -> tuple[str, ...]:
        """Return every file below, by its path from here, sorted."""
        with reaching(self):
            found = self.system.find(self.path)
        return tuple(sorted(path[len(self.path) + 1 :] for path in found))

    def read(self, name: str) -> bytes:
        """Return the content of one file below."""
        with reaching(self / name):
            return bytes(self.system.cat_file(f"{self.path}/{name}"))

    def has(self, name: str) -> bool:
        """Say whether there is such a file."""
        with reaching(self / name):
            return bool(self.system.isfile(f"{self.path}/{name}"))

    def folders(self) -> tuple[Place, ...]:
        """Return every folder here but hidden ones, by name."""
        with reaching(self):
            if not self.system.isdir(self.path):
                raise ArchiveError(f"{self.address} is no folder: give the one that holds the run folders")
            found = self.system.ls(self.path, detail=True)
            paths = [
                entry["name"].rstrip("/")
                for entry in found
                if entry["type"] == "directory" or (entry.get("islink") and self.system.isdir(entry["name"]))
            ]
        names = sorted(path.rpartition("/")[2] for path in paths)
        return tuple(self / name for name in names if not name.startswith("."))

    def runs(self) -> tuple[Place, ...]:
        """Return the whole run folders here, oldest first: those with a manifest, which is written last."""
        with reaching(self):
            if not self.system.isdir(self.path):
                raise ArchiveError(f"{self.address} is no folder: give the one that holds the run folders")
            found = self.system.glob(f"{self.path}/*/{MANIFEST}")
        names = sorted(path.rsplit("/", 2)[-2] for path in found)
        return tuple(self / name for name in names if not name.startswith("."))


def place(address: str) -> Place:
    """Return the place at a path or URL.

    Raises:
        ArchiveError: If nothing here knows such an address.
    """
    try:
        system, path = fsspec.core.url_to_fs(address, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise ArchiveError(f"{address} cannot be reached: {error}{_hint(address)}") from error
    return Place(system, str(path).rstrip("/"), address)


@contextmanager
def reaching(where: Place) -> Iterator[None]:
    """Turn what a disk or a bucket answers into our own error."""
    try:
        yield
    except ArchiveError:
        raise
    except Exception as error:  # every file system raises kinds of its own
        said = str(error) or type(error).__name__
        raise ArchiveError(f"{where.address} cannot be reached: {said}: check address and rights") from error


def _hint(address: str) -> str:
    needed = "pip install 'staging-validation-runbook[gcs]'"
    return f": {needed}" if address.startswith(("gs:", "gcs:")) else ""
