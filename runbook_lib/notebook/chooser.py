"""The front page's form: a plan and a candidate to begin with, or a run to go on with."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import ipywidgets as widgets
from IPython.display import display

from runbook_lib.errors import RunbookError
from runbook_lib.explained import explain
from runbook_lib.notebook.shown import Shown, Trouble
from runbook_lib.places import project_root
from runbook_lib.plan.file import load_plan

_WIDE = widgets.Layout(width="36em")
_NARROW_NAMES = {"description_width": "6em"}


class Chooser:
    """Asks for a plan and a candidate, or for a run.

    Args:
        plans: Files to choose from.
        proposed: The plan that is chosen first, relative to the project.
        runs: Ids of the runs that are here, newest first.
        begin: Called with plan and candidate; an empty candidate is the plan's own.
        go_on: Called with a run's id.
    """

    def __init__(
        self,
        plans: Sequence[Path],
        proposed: str,
        runs: Sequence[str],
        begin: Callable[[str, str], Shown],
        go_on: Callable[[str], Shown],
    ) -> None:
        names = list(dict.fromkeys([proposed, *(os.path.relpath(plan, project_root()) for plan in plans)]))
        self._plan = widgets.Dropdown(options=names, description="Plan", layout=_WIDE, style=_NARROW_NAMES)
        self._candidate = widgets.Combobox(description="Candidate", layout=_WIDE, style=_NARROW_NAMES)
        self._run = widgets.Dropdown(options=runs, description="Run", layout=_WIDE, style=_NARROW_NAMES)
        self._said = widgets.HTML()
        self._plan.observe(lambda _: self._propose(), "value")
        self._propose()
        new = self._button("Begin a run", lambda: begin(self._plan.value, self._candidate.value.strip()))
        old = self._button("Go on with it", lambda: go_on(self._run.value))
        rows = [self._plan, widgets.HBox([self._candidate, new])]
        rows += [widgets.HBox([self._run, old])] if runs else []
        display(widgets.VBox([*rows, self._said]))  # type: ignore[no-untyped-call]

    def _button(self, label: str, act: Callable[[], Shown]) -> widgets.Button:
        button = widgets.Button(description=label, button_style="primary" if "Begin" in label else "")
        button.on_click(lambda _: self._do(act))
        return button

    def _do(self, act: Callable[[], Shown]) -> None:
        try:
            self._said.value = act().html()
        except RunbookError as error:
            self._said.value = Trouble(explained=explain(error)).html()

    def _propose(self) -> None:
        """Offer the candidates that the plan knows: its own, and those of its self-test."""
        try:
            plan = load_plan(project_root() / self._plan.value)
        except RunbookError as error:
            self._said.value = Trouble(explained=explain(error)).html()
            return
        known = (plan.candidate.image, *plan.selftest.healthy, *plan.selftest.defects)
        self._candidate.options = tuple(dict.fromkeys(image for image in known if image))
        self._candidate.placeholder = plan.candidate.image or " ".join(plan.candidate.command)
