"""Archive executed notebooks: whole or not at all, without secrets, and with a picture of every figure."""

from __future__ import annotations

import base64
import json
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from papermill.iorw import LocalHandler, papermill_io

from runbook_lib.disk import write_atomically
from runbook_lib.redact import redact_all, secrets_of

SCHEME = "archive:"
"""Before an output path: papermill then writes through `ArchiveHandler`."""
_FIGURE, _PICTURE = "application/vnd.plotly.v1+json", "image/png"
_LIVE = ("application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json")


class ArchiveHandler:
    """What papermill reads and writes an archived notebook with, after each of its cells.

    Args:
        environment: Its secrets are masked wherever they stand: parameters, metadata, outputs, errors.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._secrets = secrets_of(environment)

    def read(self, path: str) -> str:
        """Return the notebook at `path`."""
        return str(LocalHandler().read(_plain(path)))

    def write(self, buffer: str, path: str) -> None:
        """Write a notebook, redacted; live widgets, which show nothing to a later reader, are left out."""
        notebook = redact_all(json.loads(buffer), self._secrets)
        notebook["metadata"].pop("widgets", None)
        notebook["metadata"].get("papermill", {}).update(output_path=_plain(path))
        for data in _outputs(notebook):
            for kind in _LIVE:
                data.pop(kind, None)
        write_atomically(Path(_plain(path)), _dump(notebook))

    def listdir(self, path: str) -> list[str]:
        """Return what is in a folder."""
        return list(LocalHandler().listdir(_plain(path)))

    def pretty_path(self, path: str) -> str:
        """Return how a message names `path`."""
        return _plain(path)


def archive_with(environment: dict[str, str]) -> None:
    """Make papermill write every output path that begins with `archive:` as `ArchiveHandler` does."""
    papermill_io.register(SCHEME, ArchiveHandler(environment))


def add_pictures(path: Path) -> None:
    """Put a still picture beside each figure of an archived notebook: GitHub and mail draw no other.

    A figure that cannot be drawn, such as one of a reader's own kind, stays without: the run goes on.
    """
    notebook = json.loads(path.read_text(encoding="utf-8"))
    bare = [data for data in _outputs(notebook) if _FIGURE in data and _PICTURE not in data]
    if not bare:
        return
    from runbook_lib.report.still import draw

    for data in bare:
        with suppress(LookupError, TypeError, ValueError, AttributeError):
            data[_PICTURE] = base64.b64encode(draw(data[_FIGURE])).decode()
            if not data.get("text/html"):
                data.pop("text/html", None)  # GitHub shows HTML before a picture, also where there is none
    write_atomically(path, _dump(notebook))


class Pictures:
    """Puts pictures into archived notebooks beside the run: one is drawn while the next notebook works.

    Leaving it waits for the last of them.

    Raises:
        CannotRecord: On leaving, if a notebook could not be written.
    """

    def __init__(self) -> None:
        self._painter = ThreadPoolExecutor(max_workers=1)  # what draws them does not share itself out
        self._begun: list[Future[None]] = []

    def __enter__(self) -> Pictures:
        return self

    def __exit__(self, *_: object) -> None:
        self._painter.shutdown()
        for done in self._begun:
            done.result()

    def add_to(self, path: Path) -> None:
        """Begin to put pictures into the notebook at `path`; without a notebook there is nothing to do."""
        if path.is_file():
            self._begun.append(self._painter.submit(add_pictures, path))


def _outputs(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    cells = (cell.get("outputs", []) for cell in notebook["cells"])
    return [output["data"] for outputs in cells for output in outputs if "data" in output]


def _dump(notebook: dict[str, Any]) -> bytes:
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def _plain(path: str) -> str:
    return path.removeprefix(SCHEME)
