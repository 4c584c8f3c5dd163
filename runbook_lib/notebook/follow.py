"""Show in a cell what both revisions log, as they log it, until somebody stops it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Hashable, Mapping
from threading import Thread
from typing import Any

import ipywidgets as widgets
import pandas as pd
from IPython.display import display

from runbook_lib.errors import RunbookError
from runbook_lib.explained import explain
from runbook_lib.notebook.panel import Place
from runbook_lib.notebook.shown import Shown, Trouble
from runbook_lib.ports.logs import LogNews
from runbook_lib.report import log_tables, tables
from runbook_lib.run import Run

_SHOWN = 15


class LastLines:
    """The last lines of a live log, and how many came before them; that it is open for a day costs nothing.

    Args:
        roles: Role of each revision, by its name.
    """

    def __init__(self, roles: Mapping[str, str]) -> None:
        self._roles = roles
        self._lines: deque[dict[Hashable, Any]] = deque(maxlen=_SHOWN)
        self._count, self._asides = 0, ""

    def take(self, news: LogNews) -> None:
        """Take what came."""
        entries = news.entries.assign(role=news.entries["revision"].map(self._roles).fillna("other"))
        self._count += len(entries)
        self._lines.extend(entries.tail(_SHOWN).to_dict("records"))
        lost = sum(news.suppressed.values())
        if lost or news.missed_s:
            self._asides = f" {lost} entries were left out, {news.missed_s:.0f} s were missed."

    def shown(self) -> Shown:
        """Return the sentence and the table."""
        newest = "; the newest stand below" if self._lines else ""
        sentence = f"{self._count:,} entries came while this was open{newest}.{self._asides}"
        return Shown(sentence=sentence, parts=(log_tables.log_lines(pd.DataFrame(list(self._lines))),))


class LiveLogs:
    """A live log in a cell; when it is stopped, the last lines stay as a table."""

    def __init__(self, run: Run) -> None:
        self._lines, self._tail = LastLines(run.roles()), run.follow_logs()
        self._words = widgets.HTML("Both revisions are listened to …")
        self._stop = widgets.Button(description="Stop", icon="stop")
        self._stop.on_click(lambda _: self._tail.close())
        self._loop = asyncio.get_running_loop()
        self._place: Place = display(self, display_id=True)  # type: ignore[no-untyped-call]
        Thread(target=self._listen, daemon=True).start()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        words = "A live log was shown here when this was saved"
        live = widgets.VBox([self._words, self._stop])._repr_mimebundle_()
        return {**live, "text/html": f"<p>{words}</p>", "text/plain": words}

    def _listen(self) -> None:
        try:
            with self._tail as live:
                for news in live:
                    self._loop.call_soon_threadsafe(self._take, news)
        except RunbookError as error:
            self._loop.call_soon_threadsafe(self._place.update, Trouble(explained=explain(error)))
            return
        with contextlib.suppress(RuntimeError):  # the kernel is going down
            self._loop.call_soon_threadsafe(self._place.update, self._lines.shown())

    def _take(self, news: LogNews) -> None:
        self._lines.take(news)
        shown = self._lines.shown()
        self._words.value = f"<p>{shown.sentence}</p>{tables.to_html(shown.parts[0])}"
