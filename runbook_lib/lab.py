"""Open JupyterLab on the front page: the plan proposed, the emulator up where it is wanted, no news."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from runbook_lib.errors import PlanError
from runbook_lib.local_cloud import endpoints_of
from runbook_lib.places import FRONT_PAGE, NOTEBOOKS, PLAN_VARIABLE, find_file, project_root
from runbook_lib.plan.file import load_plan

_QUICKSTART = f"{NOTEBOOKS}/plans/quickstart.yaml"
_SETTINGS = Path(__file__).parent / "lab_settings"


def open_lab(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Become JupyterLab; does not return.

    Args:
        arguments: A plan, if the first one is a YAML file; all others are JupyterLab's own.
        environment: What JupyterLab and its kernels get.

    Raises:
        PlanError: If JupyterLab is not installed, or the plan is wrong.
        CloudUnavailable: If the emulator does not start.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise PlanError("JupyterLab is not installed: pip install 'staging-validation-runbook[lab]'")
    has_plan = bool(arguments) and arguments[0].endswith((".yaml", ".yml"))
    file = find_file(arguments[0] if has_plan else _QUICKSTART)
    endpoints_of(load_plan(file).target)
    opened = (
        f"--ServerApp.root_dir={project_root()}",
        f"--LabApp.default_url=/lab/tree/{FRONT_PAGE}",
        f"--LabApp.app_settings_dir={_SETTINGS}",
    )
    command = [sys.executable, "-m", "jupyterlab", *opened, *arguments[has_plan:]]
    os.execve(command[0], command, {**environment, PLAN_VARIABLE: str(file.resolve())})  # noqa: S606 - an argv list
