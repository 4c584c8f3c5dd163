"""Say in one file of the run folder what is happening right now, for a terminal in another process."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Self

from runbook_lib.evidence import Session
from runbook_lib.evidence.load_figures import LoadProgress
from runbook_lib.report.text import clean
from runbook_lib.steps.probes_measure import is_bad
from runbook_lib.steps.suites import SuiteProgress

_FORGOTTEN_AFTER_S = 2.0


class _LiveFile:
    """A file that is there while something happens."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)


class LiveSuites(_LiveFile):
    """Takes the progress of suites, several at a time where they are parallel, and tells it as one sentence.

    Args:
        path: The file; gone when the suites have ended.
        show: Also told, e.g. a cell of a notebook.
    """

    def __init__(self, path: Path, show: Callable[[str], None] | None = None) -> None:
        super().__init__(path)
        self._show = show
        self._running: dict[str, tuple[float, str]] = {}
        self._lock = Lock()

    def __call__(self, progress: SuiteProgress) -> None:
        """Tell of one suite, beside those that were heard of just before."""
        with self._lock:
            now_s = time.monotonic()
            self._running[progress.suite] = (now_s, clean(progress.sentence()))
            fresh = [text for at_s, text in self._running.values() if now_s - at_s < _FORGOTTEN_AFTER_S]
            self._tell("; ".join(fresh))

    def _tell(self, sentence: str) -> None:
        _write(self._path, sentence)
        if self._show:
            self._show(sentence)


class LiveProbes(_LiveFile):
    """Takes the sessions of the probes one by one and tells what came so far as one sentence.

    Args:
        path: The file; gone when the probes have ended.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._sessions: Counter[str] = Counter()
        self._bad: Counter[str] = Counter()

    def __call__(self, session: Session) -> None:
        """Tell of one session, beside those that ended before."""
        self._sessions[session.role] += 1
        self._bad[session.role] += is_bad(session)
        _write(self._path, "; ".join(self._words(role) for role in self._sessions))

    def _words(self, role: str) -> str:
        count, bad = self._sessions[role], self._bad[role]
        return f"{role}: {count} messages" + (f", {bad} not answered as promised" if bad else " answered")


class LiveLoad(_LiveFile):
    """Takes the progress of a load and tells it as one sentence.

    Args:
        path: The file; gone when the load has ended.
        show: Also told, with the figures of each revision, e.g. a cell of a notebook.
    """

    def __init__(self, path: Path, show: Callable[[LoadProgress], None] | None = None) -> None:
        super().__init__(path)
        self._show = show

    def __call__(self, progress: LoadProgress) -> None:
        """Tell how the load goes, in place of what was told before."""
        _write(self._path, progress.sentence())
        if self._show:
            self._show(progress)


def _write(path: Path, sentence: str) -> None:
    with contextlib.suppress(OSError):  # nobody's verdict hangs on it
        path.write_text(sentence, encoding="utf-8")
