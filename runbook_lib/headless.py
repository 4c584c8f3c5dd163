"""Execute the notebooks through papermill, one after the other, without anybody watching."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.errors import CannotRecord, PermissionsMissing, PlanError, RunbookError, RunRefused
from runbook_lib.judging import COULD_NOT_LOOK, exit_code_of, unseen
from runbook_lib.kernels import without
from runbook_lib.resuming import left_to_do
from runbook_lib.run import Run
from runbook_lib.run_folder import LedgerEntry

# jsonschema can do without the first, whose grammars take longer to compile than all the rest; papermill
# would bring a client of Cloud Storage by the second.
with without("rfc3987_syntax"), without("gcsfs"):
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from runbook_lib.kernels.engine import NAME as WARM
    from runbook_lib.kernels.ready import ReadyKernels
    from runbook_lib.notebook_archive import SCHEME, Pictures, archive_with

REPORT, ROLLBACK = "05_report", "06_rollback"
_ENDS_THE_LOOKING = ("CloudUnavailable", "CommandFailed", "KeyboardInterrupt")
_KERNEL_START_LIMIT_S = 120


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What is happening. `failed` is empty for a notebook that is starting or ended well."""

    notebook: str
    ended: bool = False
    failed: str = ""


Watcher = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class _Work:
    """A run under way: what its notebooks share."""

    run: Run
    watch: Watcher
    notebooks: Path
    kernels: ReadyKernels
    pictures: Pictures


def run_notebooks(run: Run, watch: Watcher, notebooks: Path) -> int:
    """Execute the run's notebooks, judge, report, roll back where verdict and plan say so.

    A notebook that fails does not end the run: the report says what was not seen. Nothing more is observed
    once the cloud cannot be reached, since what is seen without it proves nothing.

    Args:
        run: A run that has just been started.
        watch: Told when a notebook starts and ends.
        notebooks: Folder of the notebooks.

    Returns:
        The exit code of the run.

    Raises:
        RunRefused: If another run has the service; nothing was begun.
        PermissionsMissing: If the caller may not do what the plan needs; nothing was begun.
        CannotRecord: If the disk is full or not ours to write. What cannot be recorded is not done: nothing
            more is changed on the cloud, and the lease ends by itself, unless the run is resumed before.
    """
    try:
        with ReadyKernels() as kernels, Pictures() as pictures:
            kernels.launch()
            run.take_service()
            work = _Work(run=run, watch=watch, notebooks=notebooks, kernels=kernels, pictures=pictures)
            for name in left_to_do(run.folder):
                if not _execute(work, name) and _must_stop(run):
                    break
            _conclude(work)
        code = run.exit_code()
        _end(run, code)
        run.write_reports()
    except CannotRecord as full:
        with suppress(RunbookError):  # one line may still find room
            run.note("run ended", exit_code=full.exit_code)
        raise CannotRecord(f"{full} by runbook resume {os.path.relpath(run.folder.path)}") from full
    except (RunRefused, PermissionsMissing) as refused:
        _end(run, refused.exit_code)
        raise
    except BaseException as error:
        _tell_what_was_seen(run)
        _end(run, exit_code_of(error))
        raise
    return code


def _end(run: Run, code: int) -> None:
    """Give the service back and note that the run has ended."""
    with run.sealed_anew():
        run.release()
        run.note("run ended", exit_code=code)


def _tell_what_was_seen(run: Run) -> None:
    """Judge and report what there is of a run that is being ended; what hinders that, hinders no more."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # nbclient's task, left by its kernel, complains
    with suppress(RunbookError):
        run.judge()
        run.write_reports()


def _conclude(work: _Work) -> None:
    """Judge and report, in the notebook or, should its kernel die, here; then roll back if that is due."""
    if not _execute(work, REPORT):
        work.run.judge()
    verdict = work.run.verdict()
    if verdict and verdict.action == "ROLLBACK" and work.run.plan.rollout.on_rollback == "automatic":
        _execute(work, ROLLBACK, confirm="yes")


def _execute(work: _Work, name: str, **parameters: str) -> bool:
    """Execute one notebook into the run folder and say whether it came to its end."""
    source, folder = work.notebooks / f"{name}.ipynb", work.run.folder.path
    if not source.is_file():
        raise PlanError(f"no such notebook: {source}", field="notebooks")
    work.watch(Progress(notebook=name))
    failed, archived = "", folder / "notebooks" / source.name
    archive_with(dict(os.environ))
    try:
        papermill.execute_notebook(
            os.path.relpath(source),  # papermill archives both paths: let them be no machine's own
            f"{SCHEME}{os.path.relpath(archived)}",
            parameters={"run_dir": os.path.relpath(folder), **parameters},
            progress_bar=False,
            start_timeout=_KERNEL_START_LIMIT_S,
            engine_name=WARM,
            kernels=work.kernels,
        )
    except PapermillExecutionError as error:
        if error.ename == CannotRecord.__name__:
            raise CannotRecord(error.evalue) from error
        failed = f"{error.ename}: {error.evalue}"
    except RuntimeError as error:  # nbclient's DeadKernelError, and a kernel that never starts
        failed = f"the kernel died: {error}"
        work.run.note(
            "step failed", step=name, detail=failed, error=type(error).__name__, exit_code=COULD_NOT_LOOK
        )
    work.pictures.add_to(archived)
    work.watch(Progress(notebook=name, ended=True, failed=failed))
    return not failed


def _must_stop(run: Run) -> bool:
    """Say whether there is nothing more to observe: no deployment, or no cloud."""
    failures = [entry for entry in run.folder.ledger() if entry.event == "step failed"]
    return "deploy" in unseen(run.folder) or any(_ends_the_looking(entry) for entry in failures[-1:])


def _ends_the_looking(entry: LedgerEntry) -> bool:
    return entry.error in _ENDS_THE_LOOKING
