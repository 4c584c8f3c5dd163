"""Read the command line, call the run, show what happens, and return the exit code."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from runbook_lib import __version__
from runbook_lib.cli import archive
from runbook_lib.cli.archive import published
from runbook_lib.cli.fleet import run_all
from runbook_lib.cli.parameters import parameters_of
from runbook_lib.errors import MissingEvidence, PlanError, RunbookError
from runbook_lib.places import NOTEBOOKS, find_file, project_root
from runbook_lib.signals import end_in_order
from runbook_lib.terminal import (
    ProgressLines,
    say,
    show_error,
    show_preflight,
    show_start,
    show_status,
    show_tested,
    show_tried,
    show_verdict,
)

app = typer.Typer(
    name="runbook",
    help="Validate a staged Cloud Run revision: PROCEED_TO_PRODUCTION, INVESTIGATE or ROLLBACK, with proof.",
    epilog="Exit codes: 0 proceed, 10 investigate, 20 rollback, 2 bad plan or usage, "
    "3 could not look, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SELF_TEST_PLAN = f"{NOTEBOOKS}/plans/selftest.yaml"
PlanArgument = Annotated[str, typer.Argument(metavar="PLAN", help="Plan file (YAML).")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Run folder, e.g. outputs/20261123-….")]
Reason = Annotated[str, typer.Option(metavar="WHY", help="Recorded in the run's ledger.")]
DecidedAct = Annotated[
    Literal["deploy", "promote"] | None, typer.Option("--act", help="What is decided; else what comes next.")
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter", "-p", metavar="NAME=VALUE",
        help="Set a field of the plan, e.g. candidate=IMAGE or probes.load.sessions=20. Repeatable.",
    ),
]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code; every error of ours is one clear text."""
    try:
        app(args=arguments)
    except RunbookError as error:
        show_error(error)
        sys.exit(error.exit_code)
    finally:
        gc.freeze()  # a last look for rubbish would take half a second


@app.command()
def run(
    plan: PlanArgument,
    parameter: Parameters = None,
    approve: Annotated[
        str,
        typer.Option(metavar="REASON", help="Approve the deployment, where the plan asks for an approval."),
    ] = "",
    result: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write run folder and exit code there, as JSON.")
    ] = None,
    scheduler: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Dask scheduler whose workers make the load, tcp://…")
    ] = "",
) -> None:
    """Run all notebooks of a validation without anybody watching, and end with the verdict."""
    from runbook_lib.kernels.forking import warming_up

    end_in_order()
    shared = [f"probes.load.scheduler={scheduler}"] if scheduler else []
    root, file, given = project_root(), find_file(plan), parameters_of((*(parameter or ()), *shared))
    with warming_up():  # while this process imports what it needs itself
        from runbook_lib.plan.file import load_plan

        load_plan(file, given)  # a mistake is told before all the rest is imported
        from runbook_lib.folder_lock import runner_of
        from runbook_lib.headless import run_notebooks
        from runbook_lib.run import Run

        begun = Run.start(file, given, root)
        if approve:
            begun.decide("deploy", approved=True, reason=approve)
        show_start(begun)
        with runner_of(begun.folder), ProgressLines(begun.folder.path) as watch:
            code = run_notebooks(begun, watch, root / NOTEBOOKS)
    show_verdict(begun, begun.verdict())
    code = published(begun, code)
    if result:
        result.write_text(json.dumps({"run": str(begun.folder.path), "exit_code": code}), encoding="utf-8")
    raise typer.Exit(code)


@app.command()
def resume(run: RunArgument) -> None:
    """Go on with a run that was interrupted: what is done stays, what was interrupted is done again."""
    from runbook_lib.kernels.forking import warming_up

    end_in_order()
    with warming_up():
        from runbook_lib.folder_lock import runner_of
        from runbook_lib.headless import run_notebooks
        from runbook_lib.run import open_run

        found = open_run(find_file(run))
        show_start(found)
        with runner_of(found.folder), ProgressLines(found.folder.path) as watch:
            found.resume()
            code = run_notebooks(found, watch, project_root() / NOTEBOOKS)
    show_verdict(found, found.verdict())
    raise typer.Exit(code)


app.command(name="run-all")(run_all)


@app.command()
def lint(plan: PlanArgument, parameter: Parameters = None) -> None:
    """Check a plan, with everything it extends, without touching anything."""
    from runbook_lib.plan.file import load_plan
    from runbook_lib.plan.notes import notes_on

    checked = load_plan(find_file(plan), parameters_of(parameter or ()))
    for note in notes_on(checked):
        say(f"note: {note}")
    say(f"{plan} is a good plan: {len(checked.criteria)} criteria, {len(checked.suites)} suites")


@app.command(name="preflight")
def check_permissions(plan: PlanArgument, parameter: Parameters = None) -> None:
    """Say which permissions a plan needs and which are missing; changes nothing. Every run asks first."""
    from runbook_lib.gcp import Cloud
    from runbook_lib.local_cloud import endpoints_of
    from runbook_lib.plan.file import load_plan
    from runbook_lib.preflight import preflight

    checked = load_plan(find_file(plan), parameters_of(parameter or ()))
    found = preflight(checked, Cloud(checked.target, endpoints_of(checked.target)).permissions)
    show_preflight(found)
    found.require()
    raise typer.Exit(3 if found.unknown else 0)


@app.command()
def status(run: RunArgument) -> None:
    """Show where a run stands and, asked of the service itself, who gets its traffic and who validates it."""
    from runbook_lib.run import open_run

    show_status(open_run(find_file(run)))


@app.command()
def logs(
    run: RunArgument,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Show what both revisions log from now on, until Ctrl-C.")
    ] = False,
    severity: Annotated[
        str, typer.Option(metavar="LEAST", help="Show this severity and above, e.g. WARNING.")
    ] = "DEFAULT",
) -> None:
    """Print the log lines that a run has read, or follow its two revisions live."""
    from runbook_lib.evidence.logs import SEVERITIES
    from runbook_lib.run import open_run
    from runbook_lib.terminal.logs import show_entries, show_news

    if severity not in SEVERITIES:
        raise PlanError(f"{severity!r} is no severity", field="--severity", allowed=SEVERITIES)
    found = open_run(find_file(run))
    roles = found.roles()
    if follow:
        with contextlib.suppress(KeyboardInterrupt), found.follow_logs() as live:
            for news in live:
                show_news(news, roles, severity)
        return
    entries = found.entries()
    if entries is None:
        raise MissingEvidence(f"{run} has read no log entries yet: run 02_logs, or use --follow")
    show_entries(entries, roles, severity)


@app.command()
def report(run: RunArgument) -> None:
    """Write the report of a run again from its evidence."""
    from runbook_lib.run import open_run

    for file in open_run(find_file(run)).write_reports():
        say(str(file))


@app.command()
def verdict(
    run: RunArgument,
    plan: Annotated[
        str, typer.Option(metavar="PLAN", help="Judge by this plan's criteria; the run's own verdict stays.")
    ] = "",
) -> None:
    """Judge a run's evidence again; needs no cloud."""
    from runbook_lib.decisions import is_held_back
    from runbook_lib.judging import exit_code
    from runbook_lib.run import open_run

    found = open_run(find_file(run))
    judged = found.rejudge(find_file(plan)) if plan else found.judge()
    if not plan:
        found.write_reports()
    show_verdict(found, judged)
    raise typer.Exit(exit_code(judged, held_back=is_held_back(found.folder.ledger())))


@app.command()
def approve(run: RunArgument, reason: Reason, act: DecidedAct = None) -> None:
    """Approve what a run waits for, where its plan asks for that; your name and the reason are recorded."""
    _decide(run, reason, act, approved=True)


@app.command()
def reject(run: RunArgument, reason: Reason, act: DecidedAct = None) -> None:
    """Reject what a run waits for; recorded with your name and the reason."""
    _decide(run, reason, act, approved=False)


def _decide(run: str, reason: str, act: Literal["deploy", "promote"] | None, *, approved: bool) -> None:
    from runbook_lib.run import open_run

    found = open_run(find_file(run))
    decided = act or found.awaited()
    found.decide(decided, approved=approved, reason=reason)
    say(f"{'approved' if approved else 'rejected'}: {decided} of {found.folder.run_id}")


@app.command()
def promote(
    run: RunArgument,
    override: Annotated[
        str, typer.Option(metavar="REASON", help="Promote against the verdict; the reason is recorded.")
    ] = "",
    to: Annotated[int, typer.Option(metavar="PERCENT", help="Stop at this step of the plan.")] = 100,
) -> None:
    """Move the traffic to a run's candidate, step by step, looking at it after each."""
    from runbook_lib.run import open_run

    end_in_order()
    found = open_run(find_file(run))
    done = found.promote(override, to)
    found.write_reports()
    say(f"{done.candidate} serves {done.percent} % of the traffic")
    raise typer.Exit(0 if done.percent == to else 20)


@app.command()
def rollback(run: RunArgument) -> None:
    """Return all traffic to a run's baseline and probe it; safe to repeat."""
    from runbook_lib.run import open_run

    end_in_order()
    found = open_run(find_file(run))
    done = found.roll_back()
    found.write_reports()
    proof = "verified by probing" if done.verified else "NOT verified, see the report"
    say(f"all traffic is on {done.to}: {proof}")
    raise typer.Exit(0 if done.verified else 3)


@app.command()
def selftest(
    plan: Annotated[
        str, typer.Argument(metavar="PLAN", help="Plan with a `selftest` section.")
    ] = SELF_TEST_PLAN,
    at_once: Annotated[int, typer.Option(min=1, max=8, help="Images tried at the same time.")] = 2,
) -> None:
    """Rehearse the gate: deploy images with known defects on the emulator and see each one caught."""
    from runbook_lib.clock import SystemClock
    from runbook_lib.plan.file import load_plan
    from runbook_lib.selftest import self_test

    file = find_file(plan)
    outputs = project_root() / load_plan(file).report.folder
    tested = self_test(file, outputs, SystemClock(), at_once, show_tried)
    show_tested(tested)
    raise typer.Exit(0 if tested.passed else 10)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(context: typer.Context) -> None:
    """Open the front page in JupyterLab, with a plan if one is given; other arguments are JupyterLab's."""
    from runbook_lib.lab import open_lab

    open_lab(context.args, os.environ)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def emulator(context: typer.Context) -> None:
    """Start, stop and look at the local Cloud Run: up, down, status, env."""
    from runbook_lib.local_cloud import emulator_command

    raise typer.Exit(emulator_command(context.args))


app.add_typer(archive.app)


@app.command()
def version() -> None:
    """Show the version."""
    say(__version__)
