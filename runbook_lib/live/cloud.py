"""Say in the run folder, while a step runs, what the cloud and the pairs of sessions say so far."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from threading import Event, Thread

from pydantic import TypeAdapter

from runbook_lib.errors import RunbookError
from runbook_lib.evidence.load_figures import LoadProgress
from runbook_lib.evidence.pairs import PairCounts, Pairs
from runbook_lib.judge import settled
from runbook_lib.places import LIVE, LIVE_LOAD, LIVE_PAIRS
from runbook_lib.plan import Plan
from runbook_lib.ports.cloud_run import CloudRun
from runbook_lib.report.text import clean
from runbook_lib.run_folder import RunFolder

_EVERY_S = 1.0
_PROGRESS = TypeAdapter(LoadProgress)


class LiveConditions:
    """Tells once a second what the service says of its newest revision; nobody's verdict hangs on it."""

    def __init__(self, folder: RunFolder, cloud_run: CloudRun) -> None:
        self._path, self._cloud_run = folder.path / LIVE, cloud_run
        self._done = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> LiveConditions:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(10)
        self._path.unlink(missing_ok=True)

    def _watch(self) -> None:
        while not self._done.wait(_EVERY_S):
            with contextlib.suppress(RunbookError, OSError):
                self._path.write_text(clean(self._sentence()), encoding="utf-8")

    def _sentence(self) -> str:
        service = self._cloud_run.service()
        revision = self._cloud_run.revision(service.latest_created)
        words = {True: "is ready", False: "is not ready", None: "is not ready yet"}
        traffic = ", ".join(
            f"{share.revision} {share.percent} %" for share in service.traffic if share.percent
        )
        said = f": {revision.message}" if revision.message else ""
        return f"{revision.name} {words[revision.ready]}{said} · traffic: {traffic or 'none'}"


class LiveFigures:
    """Keeps the figures of the load that runs where other processes can see them."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def __enter__(self) -> LiveFigures:
        return self

    def __exit__(self, *_: object) -> None:
        (self._folder.path / LIVE_LOAD).unlink(missing_ok=True)

    def __call__(self, progress: LoadProgress) -> None:
        """Take how far the load is."""
        with contextlib.suppress(RunbookError):
            self._folder.write_text(LIVE_LOAD, _PROGRESS.dump_json(progress).decode())


def load_now(folder: RunFolder) -> LoadProgress | None:
    """Return how far the load is that runs now, or None where none does."""
    with contextlib.suppress(OSError):
        return _PROGRESS.validate_json((folder.path / LIVE_LOAD).read_bytes())
    return None


class LivePairs:
    """Keeps the pairs of the load that runs where others can see them; gone when the load has ended."""

    def __init__(self, folder: RunFolder, plan: Plan) -> None:
        self._folder, self._plan = folder, plan

    def __enter__(self) -> LivePairs:
        return self

    def __exit__(self, *_: object) -> None:
        (self._folder.path / LIVE_PAIRS).unlink(missing_ok=True)

    def enough(self, pairs: Mapping[str, PairCounts]) -> bool:
        """Take the pairs so far and say whether more could change anything."""
        with contextlib.suppress(RunbookError):
            self._folder.write_record(LIVE_PAIRS, Pairs(counts=dict(pairs)))
        return settled(self._plan, pairs)
