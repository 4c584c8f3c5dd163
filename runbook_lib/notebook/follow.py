"""Show in a cell what both revisions log, as they log it, until somebody stops it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
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

_LINES = 200
_SHOWN = 15


class LiveLogs:
    """A live log in a cell; when it is stopped, the last lines stay as a table."""

    def __init__(self, run: Run) -> None:
        self._roles, self._tail = run.roles(), run.follow_logs()
        self._lines: deque[pd.DataFrame] = deque(maxlen=_LINES)
        self._count, self._asides = 0, ""
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
            self._loop.call_soon_threadsafe(self._place.update, self._shown())

    def _take(self, news: LogNews) -> None:
        entries = news.entries.assign(role=news.entries["revision"].map(self._roles).fillna("other"))
        self._count += len(entries)
        self._lines.append(entries)
        lost = sum(news.suppressed.values())
        if lost or news.missed_s:
            self._asides = f" {lost} entries were left out, {news.missed_s:.0f} s were missed."
        shown = self._shown()
        self._words.value = f"<p>{shown.sentence}</p>{tables.to_html(shown.parts[0])}"

    def _shown(self) -> Shown:
        entries = pd.concat(self._lines).tail(_SHOWN) if self._lines else None
        newest = "; the newest stand below" if self._lines else ""
        sentence = f"{self._count:,} entries came while this was open{newest}.{self._asides}"
        return Shown(sentence=sentence, parts=(log_tables.log_lines(entries),))
