"""Find the project's folders, wherever the notebooks or the command were started."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.errors import PlanError

NOTEBOOKS = "notebooks"
LIVE = "live.txt"
"""File of a run folder that says what is happening right now, while it does."""
CHOSEN = ".runbook/run"
"""File of the project that names the folder of the run which JupyterLab's notebooks open."""
FRONT_PAGE = f"{NOTEBOOKS}/00_start.ipynb"
PLAN_VARIABLE = "RUNBOOK_PLAN"
"""Environment variable with the plan that `runbook lab PLAN` was given."""
LIVE_LOAD = "live_load.json"
"""File of a run folder with the figures of the load that runs now."""
LIVE_PAIRS = "live_pairs.json"
"""File of a run folder with the pairs of the load that runs now."""
_MARK = Path(NOTEBOOKS) / "01_deploy.ipynb"


def project_root(start: Path | None = None) -> Path:
    """Return the nearest folder, from `start` (default: here) upwards, that holds the notebooks.

    Raises:
        PlanError: If there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / _MARK).is_file():
            return folder
    raise PlanError(f"{here} is not inside a checkout of the runbook: {_MARK} is in no folder above it")


def find_file(name: str) -> Path:
    """Return the file or folder `name`, relative to here, to the project's root or to its notebooks.

    Raises:
        PlanError: If it is in none of them.
    """
    root = project_root()
    places = [base / name for base in (Path.cwd(), root, root / NOTEBOOKS)]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise PlanError(f"no such file or folder: {name} (looked here, in {root} and in its {NOTEBOOKS})")
    return found


def latest_run(root: Path) -> Path | None:
    """Return the newest run folder below `root`, by its name, or None."""
    return max((path.parent for path in root.glob("*/plan.yaml")), default=None)
