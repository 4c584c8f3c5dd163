"""The front page: begin a run by a plan, or go on with one; where it stands is seen at once."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from IPython.display import display

from runbook_lib.errors import RunbookError
from runbook_lib.explained import explain
from runbook_lib.notebook.entry import choose, chosen_run, start
from runbook_lib.notebook.overview import Overview
from runbook_lib.notebook.shown import Shown, Trouble
from runbook_lib.places import NOTEBOOKS, PLAN_VARIABLE, project_root
from runbook_lib.plan.file import load_plan
from runbook_lib.report import tables
from runbook_lib.run import open_run

_QUICKSTART = f"{NOTEBOOKS}/plans/quickstart.yaml"
_EVERY_S = 1.5
_RUNS_LISTED = 20


class FrontPage:
    """Plans to begin with, runs to go on with, and the run that the other notebooks open.

    Args:
        plan: Plan that is proposed; empty: the one that `runbook lab` was given.
        present: Whether somebody is there to press a button.
    """

    def __init__(self, plan: str, *, present: bool) -> None:
        self._root, self._present = project_root(), present
        self._plan = plan or os.environ.get(PLAN_VARIABLE) or _QUICKSTART
        self._shown_before = ""

    def _ipython_display_(self) -> None:
        self.place = display(self._status(), display_id=True)  # type: ignore[no-untyped-call]
        if self._present:
            self._following = asyncio.get_running_loop().create_task(self._follow())

    def plans(self) -> Shown:
        """Show the plans that are here, with what each validates."""
        rows = [self._described(file) for file in self._plan_files()]
        table = tables.table_of(("Plan", "Validates", "Service", "Cloud", "Approval"), rows)
        return Shown(sentence=f"{len(rows)} plans are here", parts=(table,))

    def choose(self) -> Shown | None:
        """Ask for a plan and a candidate, or for a run to go on with; headless, show the plans."""
        if not self._present:
            return self.plans()
        from runbook_lib.notebook.chooser import Chooser

        Chooser(self._plan_files(), self._proposed(), self._runs(), self.begin, self.go_on)
        return None

    def begin(self, plan: str, candidate: str) -> Shown:
        """Begin a run: make its folder, which changes nothing on the cloud."""
        given = {"candidate": candidate} if candidate else {}
        run = start(self._root / plan, given)
        return self._leads_on(f"Run {run.folder.run_id} has begun; nothing is deployed yet")

    def go_on(self, run_id: str) -> Shown:
        """Make a run the one that the notebooks open."""
        choose(open_run(self._root / "outputs" / run_id))
        return self._leads_on(f"The notebooks now open {run_id}")

    def _leads_on(self, sentence: str) -> Shown:
        self._refresh()
        return Shown(sentence=f"{sentence}. Go on with 1 Deploy, by the link above.")

    def _status(self) -> Overview | Shown | Trouble:
        try:
            run = chosen_run()
            return (
                Overview(run) if run else Shown(sentence="No run has been begun here yet: begin one below.")
            )
        except RunbookError as error:
            return Trouble(explained=explain(error))

    def _refresh(self) -> None:
        status = self._status()
        words = str(status._repr_mimebundle_()["text/html"])
        if words != self._shown_before:
            self._shown_before = words
            self.place.update(status)

    async def _follow(self) -> None:
        while True:  # until the kernel ends; it costs a look at one small file
            await asyncio.sleep(_EVERY_S)
            self._refresh()

    def _plan_files(self) -> list[Path]:
        return sorted((self._root / NOTEBOOKS / "plans").glob("*.yaml"))

    def _proposed(self) -> str:
        file = Path(self._plan)
        return os.path.relpath(file if file.is_absolute() else self._root / file, self._root)

    def _runs(self) -> list[str]:
        folders = (self._root / "outputs").glob("*/ledger.jsonl")
        return sorted((file.parent.name for file in folders), reverse=True)[:_RUNS_LISTED]

    def _described(self, file: Path) -> tuple[Any, ...]:
        name = os.path.relpath(file, self._root)
        try:
            plan = load_plan(file)
        except RunbookError as error:
            return name, f"cannot be read: {error}", "", "", ""
        cloud = "the emulator" if plan.target.endpoints == "emulator" else "Google Cloud"
        return name, plan.issue.title, plan.target.service, cloud, plan.rollout.approval
