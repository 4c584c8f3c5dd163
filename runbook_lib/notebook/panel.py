"""One cell's place while a step runs: what happens, for how long, a button to cancel; then its result."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any, Protocol

import ipywidgets as widgets
from IPython.display import display

from runbook_lib.notebook.shown import as_it_is
from runbook_lib.report import text

Showable = Any
"""What shows itself: it has `_repr_mimebundle_`."""


class Place(Protocol):
    """A place in a cell's output that can show something else later: IPython's `DisplayHandle`."""

    def update(self, obj: Showable) -> None:
        """Show `obj` there from now on."""
        ...


class Panel:
    """A live panel in the output of the cell that makes it; whatever it shows last is kept in the notebook.

    The notebook never keeps the widget as a result: what is archived is HTML.

    Args:
        title: What is to be done.
        cancel: Called when the button is pressed.
        place: Where it is shown; a place of this cell's own unless given.
    """

    def __init__(self, title: str, cancel: Callable[[], None], place: Place | None = None) -> None:
        self._title, self._cancel = title, cancel
        self._words, self._live = widgets.HTML(), widgets.HTML()
        self._button = widgets.Button(description="Cancel", icon="stop", tooltip=f"Cancel: {title}")
        self._button.on_click(self._pressed)
        self._box = widgets.VBox([self._words, self._live, self._button])
        self.say("waits for its turn")
        self._place: Place = place or display(self._box, display_id=True)  # type: ignore[no-untyped-call]
        self._place.update(_Live(self._box, title))

    def say(
        self, doing: str, since_s: float | None = None, last_s: float | None = None, live: str = ""
    ) -> None:
        """Show how far it is.

        Args:
            doing: One sentence.
            since_s: Seconds since it began; None before.
            last_s: Seconds that it took the last time; None if there was none.
            live: Safe HTML with what is known so far.
        """
        self._words.value = (
            f"<b>{html.escape(self._title)}</b> {_clock(since_s, last_s)}<br>{html.escape(doing)}"
        )
        if live != self._live.value:
            self._live.value = live

    def end(self, result: Showable) -> None:
        """Put the result in the panel's place; where a reloaded page lost that place, the panel shows it."""
        self._button.layout.display = "none"
        self._words.value = ""
        self._live.value = result._repr_mimebundle_()["text/html"]
        self._place.update(result)

    def _pressed(self, _: widgets.Button) -> None:
        self._button.disabled = True
        self._button.description = "Cancelling …"
        self._cancel()


class _Live:
    """A widget with words for those who open the notebook when its kernel is gone."""

    def __init__(self, box: widgets.VBox, title: str) -> None:
        self._box, self._title = box, title

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        words = f"{self._title}: was running when this was saved; run the cell again to see how it stands"
        live = self._box._repr_mimebundle_()
        return {**live, "text/html": as_it_is(f"<p>{html.escape(words)}</p>"), "text/plain": words}


def _clock(since_s: float | None, last_s: float | None) -> str:
    """Return a bar against the time it took before, and the time in words."""
    if since_s is None:
        return ""
    last = f" · {text.span(last_s)} the last time" if last_s else ""
    share = min(1.0, since_s / last_s) if last_s else None
    value = "" if share is None else f' value="{share:.3f}"'
    return f'<progress{value} aria-label="time against the last time"></progress> {text.span(since_s)}{last}'
