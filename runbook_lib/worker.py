"""Do one step of a run in a process of its own, so that a notebook's kernel stays free.

`python -m runbook_lib.worker` gets ready, reads one line from stdin (an `Order` in JSON), does that step and
ends. It stops cleanly at SIGINT and when stdin is closed, so it never outlives the kernel that started it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runbook_lib.errors import RunbookError
from runbook_lib.explained import explain
from runbook_lib.judging import COULD_NOT_LOOK, INTERRUPTED
from runbook_lib.live.cloud import LiveFigures
from runbook_lib.run import Run, open_run
from runbook_lib.signals import end_in_order

STEPS: Mapping[str, Callable[..., object]] = {
    "deploy": Run.deploy,
    "logs": Run.read_logs,
    "suites": Run.run_suites,
    "probes": Run.probe,
    "metrics": lambda run: _measure(run),
    "run_logs": Run.read_run_logs,
    "promote": Run.promote,
    "rollback": Run.roll_back,
}


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be done.

    Attributes:
        run: The run's folder.
        step: A key of `STEPS`.
        parameters: Fields of the plan, for this step only.
        arguments: The step's own.
    """

    run: str
    step: str
    parameters: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)


def main() -> int:
    """Wait for an order, do it, and return the exit code; what went wrong is told on stdout, in JSON."""
    line = sys.stdin.readline()
    if not line:
        return 0
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    order = Order(**json.loads(line))
    try:
        STEPS[order.step](open_run(Path(order.run), order.parameters), **order.arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # the notebook shows it, whatever it is
        traceback.print_exc()
        print(json.dumps(asdict(explain(error))), flush=True)  # noqa: T201 - the parent reads it
        return error.exit_code if isinstance(error, RunbookError) else COULD_NOT_LOOK
    return 0


def _measure(run: Run) -> None:
    with LiveFigures(run.folder) as figures:
        run.measure(figures)


def _stop_with_parent() -> None:
    os.read(0, 1)  # not sys.stdin, whose lock would be held at exit
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    end_in_order()
    sys.exit(main())
