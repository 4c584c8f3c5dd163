"""The command that validates many services in one call."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from runbook_lib.errors import PlanError
from runbook_lib.places import find_file, project_root
from runbook_lib.signals import end_in_order
from runbook_lib.terminal import say, show_fleet, show_validated

if TYPE_CHECKING:
    from runbook_lib.fleet import Task, Validated


def run_all(
    plans: Annotated[list[str], typer.Argument(metavar="PLANS…", help="Plan files, one for each service.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="As of `run`, for every plan."),
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Runs that go on at the same time.")] = 4,
    dask: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Run on this Dask cluster, which sees the same folders.")
    ] = "",
    matrix: Annotated[
        bool, typer.Option("--matrix", help="Run nothing: print a matrix for CI, one entry for each plan.")
    ] = False,
) -> None:
    """Validate many services, each by a run of its own; ends with one table, and the worst exit code."""
    from runbook_lib.cli.parameters import parameters_of
    from runbook_lib.fleet import tasks_of, worst

    root = project_root()
    folder = root / "outputs" / "run-all" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"
    tasks = tasks_of([find_file(plan) for plan in plans], parameters_of(parameter or ()), root, folder)
    if matrix:
        include = [{"plan": os.path.relpath(task.plan, root), "service": task.service} for task in tasks]
        say(json.dumps({"include": include}))
        return
    end_in_order()
    validated = _on_dask(tasks, dask) if dask else _here(tasks, at_once)
    show_fleet(validated)
    raise typer.Exit(worst(validated))


def _here(tasks: tuple[Task, ...], at_once: int) -> tuple[Validated, ...]:
    """Run in processes that are forked from one that holds the imports, where that is possible."""
    from runbook_lib.fleet import Stop, fork_server_for_runs, run_fleet, validate

    server, stop = fork_server_for_runs(), Stop()
    try:
        with ThreadPoolExecutor(max_workers=at_once) as pool:
            try:
                return run_fleet(tasks, pool, partial(validate, server=server, stop=stop), show_validated)
            except KeyboardInterrupt:
                stop.ask()
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        if server:
            server.end()


def _on_dask(tasks: tuple[Task, ...], address: str) -> tuple[Validated, ...]:
    from runbook_lib.fleet import run_fleet, validate

    try:
        from distributed import Client
    except ImportError:
        raise PlanError("Dask is not installed: pip install 'staging-validation-runbook[dask]'") from None
    with Client(address) as client:  # type: ignore[no-untyped-call]
        return run_fleet(tasks, client.get_executor(), validate, show_validated)
