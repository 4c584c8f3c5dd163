"""Command line of the emulator: up, down, status, env, faults, serve."""

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from .cli_options import DEFAULT_DIR, StateDir, could_not, require_running
from .client_environment import client_environment
from .daemon import Daemon, DaemonError, Running, fetch_status
from .faults_cli import faults_app

app = typer.Typer(
    help="A local Cloud Run, Cloud Logging and Cloud Monitoring on 127.0.0.1.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(faults_app, name="faults")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CatalogueFile = Annotated[Path | None, typer.Option("--catalogue", help="YAML file with images of your own.")]
SamplePeriod = Annotated[float, typer.Option(min=0.05, help="Seconds between metric samples.")]
MetricLag = Annotated[
    float | None, typer.Option(min=0, help="Seconds until a sample is seen; two sample periods unless given.")
]
IdleTimeout = Annotated[float, typer.Option(min=1, help="Seconds without any call after which it ends.")]
LogDelay = Annotated[float, typer.Option(min=0, help="Seconds until a log entry can be read.")]
LogReadQuota = Annotated[
    int, typer.Option(min=0, help="Log reads a minute for each project, as on Google Cloud; 0: any number.")
]
IdleInstance = Annotated[
    float, typer.Option(min=0.1, help="Seconds without a request after which a spare instance ends.")
]
Seed = Annotated[int | None, typer.Option(help="Makes the traffic split repeatable.")]


@app.command()
def up(
    state_dir: StateDir = DEFAULT_DIR,
    as_json: AsJson = False,
    catalogue: CatalogueFile = None,
    sample_period: SamplePeriod = 1.0,
    metric_lag: MetricLag = None,
    idle_timeout: IdleTimeout = 1800.0,
    idle_instance: IdleInstance = 900.0,
    seed: Seed = None,
    log_delay: LogDelay = 0.3,
    log_read_quota: LogReadQuota = 60,
) -> None:
    """Start the emulator in the background, or find the one that runs."""
    options = ["--sample-period", str(sample_period), "--idle-timeout", str(idle_timeout)]
    options += ["--log-delay", str(log_delay), "--log-read-quota", str(log_read_quota)]
    options += ["--idle-instance", str(idle_instance)]
    options += ["--catalogue", str(catalogue.resolve())] if catalogue else []
    options += ["--metric-lag", str(metric_lag)] if metric_lag is not None else []
    options += ["--seed", str(seed)] if seed is not None else []
    try:
        running = Daemon(state_dir.resolve()).up(options)
    except DaemonError as error:
        raise could_not(error) from error
    _show(running, as_json)


@app.command()
def down(state_dir: StateDir = DEFAULT_DIR) -> None:
    """End the emulator and every revision process."""
    try:
        ended = Daemon(state_dir.resolve()).down()
    except DaemonError as error:
        raise could_not(error) from error
    typer.echo("emulator ended" if ended else "no emulator was running")


@app.command()
def status(state_dir: StateDir = DEFAULT_DIR, as_json: AsJson = False) -> None:
    """Show services, revisions, traffic and processes."""
    running = require_running(state_dir)
    try:
        document = fetch_status(running)
    except DaemonError as error:
        raise could_not(error) from error
    if as_json:
        typer.echo(json.dumps({"emulator": asdict(running), **document}, indent=2))
        return
    _show(running, as_json=False)
    for service in document["services"]:
        _show_service(service)


@app.command()
def env(state_dir: StateDir = DEFAULT_DIR) -> None:
    """Print shell exports that lead Google's clients and the real gcloud to the emulator."""
    running = require_running(state_dir)
    for name, value in client_environment(running, state_dir.resolve()).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def serve(
    state_dir: StateDir = DEFAULT_DIR,
    catalogue: CatalogueFile = None,
    sample_period: SamplePeriod = 1.0,
    metric_lag: MetricLag = None,
    idle_timeout: IdleTimeout = 1800.0,
    idle_instance: IdleInstance = 900.0,
    seed: Seed = None,
    log_delay: LogDelay = 0.3,
    log_read_quota: LogReadQuota = 60,
) -> None:
    """Run the emulator in the foreground."""
    # Imported late: the Google and gRPC stacks take a second that the other commands need not wait.
    from .instance import Patience
    from .server import Settings
    from .serving import ServeError, serve_until_stopped

    settings = Settings(
        sample_period_s=sample_period,
        metric_lag_s=metric_lag,
        idle_timeout_s=idle_timeout,
        patience=Patience(idle_instance_s=idle_instance),
        seed=seed,
        log_delay_s=log_delay,
        log_reads_per_minute=log_read_quota,
    )
    try:
        serve_until_stopped(Daemon(state_dir.resolve()), settings, catalogue)
    except (DaemonError, ServeError) as error:
        raise could_not(error) from error


def _show(running: Running, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(running)))
        return
    typer.echo(f"emulator {running.pid} runs since {running.started}")
    typer.echo(f"  gRPC  {running.grpc}\n  HTTP  {running.http}\n  log   {running.log}")


def _show_service(service: dict[str, Any]) -> None:
    """Print one service with its revisions, newest first; revisions that serve nobody are only counted."""
    _, project, _, region, _, name = service["name"].split("/")
    typer.echo(f"\n{name} in {project}, {region}  {service['uri']}")
    reached = [revision for revision in service["revisions"] if revision["percent"] or revision["tags"]]
    for revision in reversed(reached):
        _show_revision(revision)
    if idle := len(service["revisions"]) - len(reached):
        typer.echo(f"         and {idle} more that serve nobody (--json shows them)")


def _show_revision(revision: dict[str, Any]) -> None:
    state = "failed" if revision["failure"] else "ready" if revision["ready"] else "starting"
    pids = "".join(f", pid {pid}" for pid in revision["pids"])
    typer.echo(f"  {revision['percent']:3d} %  {revision['name']}  {revision['image']}  {state}{pids}")
    for tag, uri in revision["tags"].items():
        typer.echo(f"         {tag}  {uri}")
