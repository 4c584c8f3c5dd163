"""Rehearse the gate itself: validate images whose defects are known, and say which criterion caught each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.clock import Clock
from runbook_lib.errors import PlanError, RunbookError, RunRefused
from runbook_lib.plan import Plan
from runbook_lib.plan.file import dump_plan, load_plan
from runbook_lib.rehearsal import FILE, SelfTested, Tried
from runbook_lib.run import Run
from runbook_lib.run_folder import RunFolder
from runbook_lib.verdict import Outcome

STEPS = (Run.deploy, Run.read_logs, Run.run_suites, Run.probe, Run.measure, Run.read_run_logs)
"""All that observe, without the notebooks that tell of it."""

_NO_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, kw_only=True)
class _Case:
    """An image to try; without `baseline`, against the plan's own."""

    image: str
    baseline: str = ""
    expected: str = ""


def self_test(
    plan_file: Path, outputs: Path, clock: Clock, at_once: int, watch: Callable[[Tried], None]
) -> SelfTested:
    """Validate every image that the plan's `selftest` names, on the emulator, without suites.

    Args:
        plan_file: A plan with a `selftest` section.
        outputs: Folder that gets `selftest.json`, and the runs in a folder of their own.
        clock: Tells the time.
        at_once: Runs that go on at the same time, each on a service of its own.
        watch: Told of each image as it ends.

    Raises:
        PlanError: If the plan is wrong or names no image.
        RunRefused: If it aims at Google Cloud: broken images are not deployed there.
    """
    plan = load_plan(plan_file)
    cases = tuple(_cases(plan))
    if not cases:
        raise PlanError("names no image to try", file=plan_file, field="selftest")
    if plan.target.endpoints == "google":
        raise RunRefused("the self-test deploys broken images: it runs on the emulator only")
    started = clock.now()
    folder = outputs / "selftest" / f"{started:%Y%m%d-%H%M%S}"
    bare = _without_suites(plan, folder)
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        futures = {pool.submit(_try, case, bare, folder, clock): case for case in cases}
        tried: dict[_Case, Tried] = {}
        for future in as_completed(futures):
            tried[futures[future]] = future.result()
            watch(future.result())
    tested = SelfTested(
        plan=plan.issue.title,
        folder=str(folder.relative_to(outputs)),
        started=started,
        ended=clock.now(),
        tried=tuple(tried[case] for case in cases),
    )
    RunFolder(outputs).write_record(FILE, tested)
    return tested


def _cases(plan: Plan) -> Iterator[_Case]:
    for image, criterion in plan.selftest.defects.items():
        yield _Case(image=image, expected=criterion)
    for image in plan.selftest.healthy:
        yield _Case(image=image)
        yield _Case(image=image, baseline=image)


def _without_suites(plan: Plan, folder: Path) -> Path:
    """Write the plan without its suites and the criteria on them; return the file."""
    kept = tuple(criterion for criterion in plan.criteria if not criterion.metric.startswith("suite."))
    bare = plan.model_copy(update={"suites": {}, "criteria": kept})
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "plan.yaml"
    file.write_text(dump_plan(bare, folder), encoding="utf-8")
    return file


def _try(case: _Case, plan_file: Path, folder: Path, clock: Clock) -> Tried:
    """Make one run without notebooks, and leave the service as its verdict says."""
    began = clock.now()
    run = Run.start(plan_file, _parameters(case, folder), folder)
    error = ""
    try:
        for step in STEPS:
            step(run)
        if run.judge().action == "ROLLBACK":
            run.roll_back()
        run.write_reports()
    except RunbookError as trouble:
        error = str(trouble)
    finally:
        run.release()
    verdict = None if error else run.verdict()
    metrics = run.record().metrics
    return Tried(
        image=case.image,
        baseline=run.plan.target.baseline_image or "",
        expected=case.expected,
        action=verdict.action if verdict else None,
        failed=tuple(c.id for c in verdict.criteria if c.outcome is Outcome.FAIL) if verdict else (),
        sessions=metrics.sessions.get("candidate", 0) if metrics else 0,
        seconds=(clock.now() - began).total_seconds(),
        error=error,
        run=run.folder.run_id,
    )


def _parameters(case: _Case, folder: Path) -> dict[str, str]:
    own = {"candidate": case.image, "target.service": _service(case), "report.folder": str(folder.resolve())}
    return own | ({"baseline": case.baseline} if case.baseline else {})


def _service(case: _Case) -> str:
    """Return a name of the case's own; service and tag together may have 46 characters."""
    variant = re.split("[:/]", case.image.lower())[-1]
    kind = "same" if case.baseline else "try"
    return f"{kind}-{_NO_NAME.sub('-', variant).strip('-')}"[:30].rstrip("-")
