"""Say whether a person sits before the cell that runs; headless, nobody can press a button."""

from __future__ import annotations

from importlib.util import find_spec

from IPython.core.getipython import get_ipython


def somebody_is_there() -> bool:
    """Say whether this cell came from a front end that could ask a person: JupyterLab can, papermill cannot.

    Outside of a kernel, and where the widgets are not installed, nobody is there.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None or find_spec("ipywidgets") is None:
        return False
    request = kernel.get_parent("shell") or {}
    return bool(request.get("content", {}).get("allow_stdin"))
