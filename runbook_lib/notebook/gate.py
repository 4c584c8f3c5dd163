"""Ask a person for a decision and its reason; nothing happens before somebody presses a button."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import ipywidgets as widgets
from IPython.display import display

from runbook_lib.errors import RunbookError
from runbook_lib.explained import explain
from runbook_lib.notebook.panel import Place, Showable
from runbook_lib.notebook.shown import Trouble, as_it_is

Decided = Callable[[str, Place], Showable | None]
"""Called with the reason and the gate's place; returns what stands there from now on, or fills it itself."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One button of a gate."""

    label: str
    style: Literal["success", "warning", "danger"]
    act: Decided


class Gate:
    """A question in a cell, with a field for the reason and a button for each answer.

    Args:
        question: Says what is asked, for those who open the notebook when its kernel is gone.
        effect: Safe HTML with what exactly would be done.
        choices: The answers.
        above: Further widgets, between effect and reason.
    """

    def __init__(
        self, question: str, effect: str, choices: Sequence[Choice], above: Sequence[widgets.Widget] = ()
    ) -> None:
        self._question = question
        self.effect, self._complaint = widgets.HTML(effect), widgets.HTML()
        self._reason = widgets.Text(
            placeholder="why, for the ledger", description="Reason", layout=widgets.Layout(width="32em")
        )
        self.buttons = [self._button(choice) for choice in choices]
        asked = widgets.HTML(f"<b>{html.escape(question)}</b>")
        self._box = widgets.VBox(
            [asked, *above, self.effect, self._reason, widgets.HBox(self.buttons), self._complaint]
        )
        self._place: Place = display(self, display_id=True)  # type: ignore[no-untyped-call]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        words = f"{self._question} Nobody had decided when this was saved; run the cell again to be asked."
        live = self._box._repr_mimebundle_()
        return {**live, "text/html": as_it_is(f"<p>{html.escape(words)}</p>"), "text/plain": words}

    def _button(self, choice: Choice) -> widgets.Button:
        button = widgets.Button(description=choice.label, button_style=choice.style)
        button.layout.width = "auto"
        button.on_click(lambda _: self._chosen(choice))
        return button

    def _chosen(self, choice: Choice) -> None:
        reason = self._reason.value.strip()
        if not reason:
            self._complaint.value = "Nothing was done: a reason is needed."
            return
        try:
            result = choice.act(reason, self._place)
        except RunbookError as error:
            self._complaint.value = Trouble(explained=explain(error)).html()
            return
        if result is not None:
            self._place.update(result)
