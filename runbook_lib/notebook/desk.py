"""Do the steps of one run beside the kernel, one after the other; the cells that show them keep up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from IPython.display import display

from runbook_lib.explained import Explained, explain
from runbook_lib.judging import INTERRUPTED, unseen
from runbook_lib.notebook.live_evidence import live_evidence
from runbook_lib.notebook.panel import Panel, Place, Showable
from runbook_lib.notebook.progress import said_now, step_state, took_last_time
from runbook_lib.notebook.shown import Shown, Trouble
from runbook_lib.notebook.step_process import Ended, StepProcess
from runbook_lib.notebook.steps import TITLES
from runbook_lib.run import Run

Show = Callable[[], Showable]
PULSE_S = 0.4


@dataclass(kw_only=True)
class _Job:
    """A step that waits or runs. `act` does it right here; else it is done by a process."""

    step: str
    show: Show
    panel: Panel
    arguments: Mapping[str, Any] = field(default_factory=dict)
    act: Callable[[], object] | None = None
    process: StepProcess | None = None
    cancelled: bool = False


class Desk:
    """The steps of one run that this kernel does, and the cells that show what is known.

    Attributes:
        parameters: Fields of the run's plan that this notebook changes.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.parameters: Mapping[str, str] = {}
        self._jobs: list[_Job] = []
        self._views: list[Callable[[], None]] = []
        self._lasting: list[Callable[[], None]] = []
        self._ready: StepProcess | None = StepProcess()
        self._working: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a step waits or runs."""
        return bool(self._jobs)

    def do(
        self,
        step: str,
        show: Show,
        arguments: Mapping[str, Any] | None = None,
        act: Callable[[], object] | None = None,
        place: Place | None = None,
    ) -> None:
        """Do a step once those before it are done; this cell shows how far it is, then `show()`.

        A step that waits or runs already is not begun twice: this cell then shows that one.
        """
        panel = Panel(TITLES[step], cancel=lambda: self.cancel(step), place=place)
        known = next((job for job in self._jobs if job.step == step), None)
        if known:
            known.panel.end(Shown(sentence="Shown where this step was called again"))
            known.panel = panel
            return
        self._jobs.append(_Job(step=step, show=show, panel=panel, arguments=arguments or {}, act=act))
        if self._working is None or self._working.done():
            self._working = asyncio.get_running_loop().create_task(self._work())

    def view(self, show: Show, *, for_good: bool = False) -> None:
        """Show what is known now, and again whenever a step ends: until all have, or for good."""
        place = display(show(), display_id=True)  # type: ignore[no-untyped-call]
        view = partial(_show_anew, place, show)
        if for_good:
            self._lasting = [view]  # of a cell that was run again, the old place is gone
        else:
            self._views.append(view)

    def cancel(self, step: str) -> None:
        """Cancel a step: it leaves nothing behind, and those that wait behind it are not begun."""
        for job in self._jobs:
            if job.step == step:
                job.cancelled = True
                if job.process:
                    job.process.cancel()

    def refresh(self) -> None:
        """Show anew what has changed."""
        self._keep_up((*self._lasting, *self._views))
        if not self._jobs:
            self._views.clear()

    @staticmethod
    def _keep_up(views: Iterable[Callable[[], None]]) -> None:
        for view in views:
            view()

    async def _work(self) -> None:
        while self._jobs:
            job = self._jobs[0]
            ended = await self._one(job)
            self._jobs.pop(0)
            job.panel.end(self._result(job, ended))
            if ended.code:
                self._drop_the_rest(job)
            self.refresh()

    async def _one(self, job: _Job) -> Ended:
        """Do one job to its end."""
        if job.cancelled:
            return Ended(code=INTERRUPTED)
        if job.act:
            return _done_here(job.act)
        job.process, self._ready = self._ready or StepProcess(), None
        job.process.begin(
            {
                "run": str(self._run.folder.path.resolve()),
                "step": job.step,
                "parameters": dict(self.parameters),
                "arguments": dict(job.arguments),
            }
        )
        ended = await self._watched(job, job.process)
        self._ready = StepProcess()  # so that the next step need not wait for its imports
        return ended

    async def _watched(self, job: _Job, process: StepProcess) -> Ended:
        """Say how far a step is until it has ended."""
        began_s, last_s = time.monotonic(), took_last_time(self._run.folder, job.step)
        written = 0
        while (ended := process.ended()) is None:
            if written != (written := self._run.folder.ledger_bytes()):
                self._keep_up(self._lasting)
            doing = "ends what it has started" if job.cancelled else said_now(self._run.folder)
            job.panel.say(
                doing or "…", time.monotonic() - began_s, last_s, live_evidence(self._run, job.step)
            )
            await asyncio.sleep(PULSE_S)
        process.close()
        return ended

    def _result(self, job: _Job, ended: Ended) -> Showable:
        """Return what the job's cell shows in the end."""
        if ended.code == 0 or self._came_to_its_end(job):
            return _safely(job.show)
        if job.cancelled or ended.code == INTERRUPTED:
            return _cancelled(TITLES[job.step])
        unknown = Explained(
            what=f"{TITLES[job.step]}: its process ended with {ended.code}",
            where="",
            next="Run the cell again; the traceback may say why.",
        )
        return Trouble(explained=ended.explained or unknown, traceback=ended.traceback)

    def _came_to_its_end(self, job: _Job) -> bool:
        """Say whether a job that was cancelled had ended well just before, which only the ledger knows."""
        if job.process is None or not job.cancelled:
            return False
        return step_state(self._run.folder.ledger(), job.step).state == "done"

    def _drop_the_rest(self, failed: _Job) -> None:
        for job in self._jobs:
            words = f"{TITLES[job.step]}: not begun, since “{TITLES[failed.step]}” did not end well"
            job.panel.end(Shown(sentence=words))
        self._jobs.clear()

    def seen(self, step: str) -> bool:
        """Say whether a step has left its evidence."""
        return step not in unseen(self._run.folder) and self._run.folder.has_evidence(step)


def desk_of(run: Run, shell: Any) -> Desk:
    """Return the desk of a run in this kernel: one, however often its cell is run."""
    desks = vars(shell).setdefault("_runbook_desks", {})
    place = run.folder.path.resolve()
    if place not in desks:
        desks[place] = Desk(run)
    desk: Desk = desks[place]
    return desk


def _done_here(act: Callable[[], object]) -> Ended:
    try:
        act()
    except Exception as error:  # the cell shows it, whatever it is
        return Ended(code=1, explained=explain(error))
    return Ended(code=0)


def _show_anew(place: Place, show: Show) -> None:
    place.update(_safely(show))


def _safely(show: Show) -> Showable:
    """Return what there is to show, or why it cannot be shown."""
    try:
        return show()
    except Exception as error:  # the cell shows it, whatever it is
        return Trouble(explained=explain(error))


def _cancelled(title: str) -> Shown:
    return Shown(
        sentence=f"{title}: cancelled. Nothing of it runs any more and it left no evidence. "
        "Run the cell again to begin anew."
    )
