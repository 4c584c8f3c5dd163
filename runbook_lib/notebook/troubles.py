"""Show what a cell raises as one readable box, in notebooks that somebody looks at."""

from __future__ import annotations

import traceback
from types import TracebackType
from typing import Any

from IPython.display import display

from runbook_lib.explained import explain
from runbook_lib.notebook.shown import Trouble


def show_errors_as_boxes(shell: Any) -> None:
    """Let a cell end with a box in place of a traceback, which is folded in it; it fails all the same."""
    shell.set_custom_exc((Exception,), _show)


def _show(_: Any, kind: type[Exception], error: Exception, trace: TracebackType, **__: Any) -> list[str]:
    lines = traceback.format_exception(kind, error, trace)
    display(Trouble(explained=explain(error), traceback="".join(lines)))  # type: ignore[no-untyped-call]
    return []
