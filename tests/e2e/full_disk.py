"""Be a run on a disk of its own that becomes full in the middle; started as root of a namespace of mounts.

`unshare --map-root-user --mount python full_disk.py FOLDER WHEN THEN COMMAND…`: FOLDER becomes a small disk,
full as soon as a ledger on it says WHEN; `read-only` makes it a disk that cannot be written at all. THEN is
`end`, or `resume` to free the disk and go on. What is on the disk in the end is told on the last line, for
the disk is gone with this process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

DISK_BYTES = 24 << 20
FILLER = "somebody else's"


def main() -> int:
    """Return the command's own exit code."""
    folder, when, then, *command = sys.argv[1:]
    disk = Path(folder)
    mode = "ro" if when == "read-only" else "rw"
    mount = ("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},{mode}", "tmpfs", folder)
    subprocess.run(mount, check=True)
    process = subprocess.Popen(command)
    while process.poll() is None:
        if mode == "rw" and any(when in ledger.read_text() for ledger in disk.glob("*/ledger.jsonl")):
            fill(disk / FILLER)
            mode = "full"
        time.sleep(0.002)
    told: dict[str, Any] = {"mode": mode, "files": left_on(disk)}
    if then == "resume":
        (disk / FILLER).unlink()
        resume = [command[0], "resume", *map(str, disk.iterdir())]
        resumed = subprocess.run(resume, capture_output=True, text=True, check=False)
        told |= {"resumed": resumed.returncode, "resumed_files": left_on(disk)}
    sys.stdout.write(json.dumps(told) + "\n")
    return process.returncode


def fill(path: Path) -> None:
    """Leave not one byte."""
    with path.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return


def left_on(disk: Path) -> dict[str, str]:
    """Return every text file by its path, its run's name left out; what is no text is empty."""
    files = [path for path in disk.rglob("*") if path.is_file() and path.parent != disk]
    return {str(Path(*path.relative_to(disk).parts[1:])): _text(path) for path in files}


def _text(path: Path) -> str:
    return "" if path.suffix == ".parquet" else path.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
