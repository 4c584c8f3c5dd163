"""Write files whole or not at all, and say in our own words what the disk has against it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from runbook_lib.errors import CannotRecord

UNFINISHED = ".part"
"""How the hidden files end that are still being written."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part.

    Raises:
        CannotRecord: If it cannot be written; the old content stays.
    """
    with writing(path):
        temporary = new_beside(path)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                put_in_place(file, temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def put_in_place(file: IO[bytes], temporary: Path, path: Path) -> None:
    """Let the open file `temporary` be `path` from now on; its content is on the disk before that."""
    file.flush()
    os.fsync(file.fileno())
    temporary.replace(path)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Turn what the disk says against writing `path` into our own error."""
    try:
        yield path
    except OSError as error:
        raise CannotRecord(
            f"{path} cannot be written ({error.strerror}): free the disk or fix its rights, then go on"
        ) from error


def new_beside(path: Path) -> Path:
    """Make an empty hidden file beside `path`, to be put in its place."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
    os.close(handle)
    temporary = Path(name)
    temporary.chmod(0o644)
    return temporary
