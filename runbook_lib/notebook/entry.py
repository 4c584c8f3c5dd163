"""How a notebook gets its run: the one it is given, the one chosen on the front page, or a new one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from IPython.core.getipython import get_ipython
from IPython.display import display

from runbook_lib.errors import PlanError
from runbook_lib.notebook.cockpit import Cockpit
from runbook_lib.notebook.presence import somebody_is_there
from runbook_lib.places import CHOSEN, find_file, latest_run, project_root
from runbook_lib.run import Run, open_run

Value = str | int | float
_QUICKSTART = "plans/quickstart.yaml"


def begin(plan: str = "", run_dir: str = "", **parameters: Value) -> Cockpit:
    """Return the run in `run_dir`, or begin a new one by `plan`, with parameters set in it.

    Without any of them it is the run that was chosen on the front page, else a new one by the quickstart's
    plan. A parameter that is empty or 0 leaves the plan as it is; `__` in its name stands for a dot.

    Raises:
        PlanError: If plan, parameter or folder is wrong.
    """
    if run_dir:
        return resume(run_dir)
    given, present = _given(parameters), somebody_is_there()
    chosen = chosen_run() if present and not plan and not given else None
    return _cockpit(chosen or start(find_file(plan or _QUICKSTART), given), {}, present)


def resume(run_dir: str = "", **parameters: Value) -> Cockpit:
    """Return the run in `run_dir`, or the newest one; parameters as in `begin`, for this notebook only.

    With somebody there, the run that was chosen on the front page comes before the newest.

    Raises:
        PlanError: If there is no such run, or a parameter is wrong.
    """
    given, present = _given(parameters), somebody_is_there()
    if run_dir:
        return _cockpit(open_run(find_file(run_dir), given), given, present)
    folder = (_chosen_folder() if present else None) or latest_run(project_root() / "outputs")
    if folder is None:
        raise PlanError("there is no run yet: run 01_deploy first", field="run_dir")
    return _cockpit(open_run(folder, given), given, present)


def start(plan: Path, given: Mapping[str, str]) -> Run:
    """Begin a run and make it the chosen one."""
    run = Run.start(plan, given, project_root())
    choose(run)
    return run


def choose(run: Run) -> None:
    """Make `run` the one that the notebooks open when they are not told another."""
    file = project_root() / CHOSEN
    file.parent.mkdir(exist_ok=True)
    file.write_text(str(run.folder.path.resolve()), encoding="utf-8")


def chosen_run() -> Run | None:
    """Return the run that was chosen last, or None where there is none any more."""
    folder = _chosen_folder()
    return open_run(folder) if folder else None


def _chosen_folder() -> Path | None:
    file = project_root() / CHOSEN
    folder = Path(file.read_text(encoding="utf-8")) if file.is_file() else None
    return folder if folder and (folder / "plan.yaml").is_file() else None


def _cockpit(run: Run, parameters: Mapping[str, str], present: bool) -> Cockpit:
    if not present:
        return Cockpit(run)
    from runbook_lib.notebook.desk import desk_of
    from runbook_lib.notebook.page import PageHelp
    from runbook_lib.notebook.troubles import show_errors_as_boxes

    display(PageHelp())  # type: ignore[no-untyped-call]
    show_errors_as_boxes(get_ipython())
    desk = desk_of(run, get_ipython())
    desk.parameters = parameters
    return Cockpit(run, desk)


def _given(parameters: Mapping[str, Value]) -> dict[str, str]:
    return {name.replace("__", "."): str(value) for name, value in parameters.items() if value}
