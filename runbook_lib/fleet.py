"""Validate many services in one call: each run is a process of its own, so many at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event

from runbook_lib.errors import PlanError
from runbook_lib.judging import COULD_NOT_LOOK
from runbook_lib.kernels.forking import ForkServer, can_fork
from runbook_lib.kernels.process import ForkedProcess
from runbook_lib.kernels.request import Request
from runbook_lib.plan.file import load_plan
from runbook_lib.run_folder import RunFolder
from runbook_lib.verdict import Verdict

_LOOK_S = 0.2
_WORST_LAST = (0, 10, 20, 2, COULD_NOT_LOOK, 130)
"""Exit codes: a run that could not look is worse than one that saw a failure, for it saw nothing."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One run to be: arguments of `runbook`, and the folder that gets its result and its output."""

    plan: str
    service: str
    arguments: tuple[str, ...]
    root: str
    folder: str
    name: str

    @property
    def result(self) -> Path:
        """Where the run says which folder is its own, and how it ended."""
        return Path(self.folder, f"{self.name}.json")

    @property
    def output(self) -> Path:
        """What the run would have shown on a terminal."""
        return Path(self.folder, f"{self.name}.log")


@dataclass(frozen=True, kw_only=True)
class Validated:
    """How one run ended. `action` and `summary` are empty where there is no verdict."""

    plan: str
    service: str
    exit_code: int
    seconds: float
    action: str = ""
    summary: str = ""
    run: str = ""
    output: str = ""


class Stop:
    """Tells runs that go on in threads of this process that they should end, as Ctrl-C would."""

    def __init__(self) -> None:
        self._asked = Event()

    def ask(self) -> None:
        """Interrupt every run."""
        self._asked.set()

    def asked(self) -> bool:
        """Say whether runs should end."""
        return self._asked.is_set()


def tasks_of(
    plans: Sequence[Path], parameters: Mapping[str, str], root: Path, folder: Path
) -> tuple[Task, ...]:
    """Return one run for each plan.

    Raises:
        PlanError: If a plan is wrong, or two of them validate the same service: nothing is started then.
    """
    tasks: dict[tuple[str, str, str], Task] = {}
    given = tuple(part for name, value in parameters.items() for part in ("-p", f"{name}={value}"))
    for number, file in enumerate(plans, 1):
        target = load_plan(file, parameters).target
        key = (target.project, target.region, target.service)
        if key in tasks:
            raise PlanError(
                f"validates {target.service}, as {tasks[key].plan} does: one run of a service at a time",
                file=file,
                field="target.service",
            )
        task = Task(
            plan=str(file),
            service=target.service,
            arguments=("run", str(file.resolve()), *given),
            root=str(root),
            folder=str(folder),
            name=f"{number:02}-{target.service}",
        )
        tasks[key] = task
    return tuple(tasks.values())


def run_fleet(
    tasks: Sequence[Task], pool: Executor, do: Callable[[Task], Validated], watch: Callable[[Validated], None]
) -> tuple[Validated, ...]:
    """Run all tasks and keep `summary.json`.

    Args:
        tasks: What is to be run.
        pool: Runs so many at a time; threads here, or a cluster's.
        do: Runs one.
        watch: Told of each as it ends.
    """
    futures: dict[Future[Validated], Task] = {pool.submit(do, task): task for task in tasks}
    ended: dict[Task, Validated] = {}
    for future in as_completed(futures):
        ended[futures[future]] = future.result()
        watch(future.result())
    validated = tuple(ended[task] for task in tasks)
    summary = json.dumps([asdict(each) for each in validated], indent=1, ensure_ascii=False)
    Path(tasks[0].folder, "summary.json").write_text(f"{summary}\n", encoding="utf-8")
    return validated


def worst(validated: Sequence[Validated]) -> int:
    """Return the exit code of all: the worst of theirs."""
    return max((each.exit_code for each in validated), key=_WORST_LAST.index)


def validate(task: Task, server: ForkServer | None = None, stop: Stop | None = None) -> Validated:
    """Make one run to its end and say how it ended."""
    since_s = time.monotonic()
    Path(task.folder).mkdir(parents=True, exist_ok=True)
    process = _start(task, server)
    _wait(process, stop)
    return _validated(task, time.monotonic() - since_s, interrupted=bool(stop and stop.asked()))


def fork_server_for_runs() -> ForkServer | None:
    """Return a server from which whole runs are forked, where forking is to be had."""
    return ForkServer(for_runs=True) if can_fork(os.environ) else None


def _start(task: Task, server: ForkServer | None) -> ForkedProcess | subprocess.Popen[bytes]:
    arguments = [*task.arguments, "--result", str(task.result)]
    if server:
        request = Request(arguments=arguments, cwd=task.root, env=dict(os.environ), output=str(task.output))
        return server.fork(request)
    with task.output.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "runbook_lib.cli.entry", *arguments],
            cwd=task.root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait(process: ForkedProcess | subprocess.Popen[bytes], stop: Stop | None) -> None:
    told = False
    while process.poll() is None:
        if stop and stop.asked() and not told:
            process.send_signal(signal.SIGINT)
            told = True
        time.sleep(_LOOK_S)


def _validated(task: Task, seconds: float, *, interrupted: bool) -> Validated:
    """Return what a run left; without a result it was interrupted, or could not look."""
    known = json.loads(task.result.read_text("utf-8")) if task.result.is_file() else {}
    verdict = RunFolder.open(Path(known["run"])).find_record("verdict.json", Verdict) if known else None
    return Validated(
        plan=task.plan,
        service=task.service,
        exit_code=known.get("exit_code", 130 if interrupted else COULD_NOT_LOOK),
        seconds=seconds,
        action=verdict.action if verdict else "",
        summary=verdict.summary if verdict else _last_line(task.output),
        run=known.get("run", ""),
        output=str(task.output),
    )


def _last_line(file: Path) -> str:
    lines = file.read_text("utf-8", errors="replace").split("\n") if file.is_file() else []
    return next((line for line in reversed(lines) if line.strip()), "")
