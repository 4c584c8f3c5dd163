"""Commands that switch a running emulator's faults on and off: faults add, list, clear."""

import json
import urllib.error
import urllib.request
from typing import Annotated, Any
from urllib.parse import quote

import typer

from .cli_options import DEFAULT_DIR, StateDir, could_not, require_running

_TIMEOUT_S = 10.0

faults_app = typer.Typer(
    help="Faults by name: refused or slow calls, disturbed logs, dropped streams, killed instances.\n\n"
    "The four statuses and slow hit API calls, chosen by --method. drop-stream cuts WebSockets and streamed "
    "answers (--target, a service or revision) and API streams (--method) --delay seconds after they began. "
    "kill-instance kills the instance that a request to --target has reached. missing-permission takes an "
    "IAM permission (--permission) from the caller. The rest hit log entries.",
    no_args_is_help=True,
)

Name = Annotated[
    str,
    typer.Argument(
        help="UNAVAILABLE, RESOURCE_EXHAUSTED, PERMISSION_DENIED, DEADLINE_EXCEEDED, slow, late-logs, "
        "duplicate-logs, out-of-order-logs, drop-stream, kill-instance or missing-permission."
    ),
]


@faults_app.command()
def add(
    name: Name,
    state_dir: StateDir = DEFAULT_DIR,
    method: Annotated[
        str | None, typer.Option(help="API methods that it hits, such as 'Services.*'; all if left out.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Services or revisions whose requests drop-stream and kill-instance hit, such as "
            "'backend-service' or 'backend-service-00002-*'; all if left out."
        ),
    ] = None,
    permission: Annotated[
        str | None,
        typer.Option(help="What missing-permission takes away, such as 'run.services.update' or 'run.*'."),
    ] = None,
    rate: Annotated[
        float, typer.Option(help="Share of calls, entries, streams or requests that it hits, 0 to 1.")
    ] = 1.0,
    seconds: Annotated[
        float | None, typer.Option(help="How long it lasts; until cleared if left out.")
    ] = None,
    delay: Annotated[
        float | None,
        typer.Option(
            help="Seconds that slow calls and late entries take, that a stream lasts before it is dropped, "
            "or that an instance lives on after the request; 2 if left out, for kill-instance none."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Makes the choice of what it hits repeatable.")] = 0,
) -> None:
    """Switch a fault on."""
    given = {
        "method": method,
        "target": target,
        "permission": permission,
        "seconds": seconds,
        "delay_s": delay,
    }
    chosen = {key: value for key, value in given.items() if value is not None}
    _show([_ask(state_dir, "POST", {"name": name, "rate": rate, "seed": seed, **chosen})])


@faults_app.command("list")
def list_faults(state_dir: StateDir = DEFAULT_DIR) -> None:
    """Show the faults that are on and how often each has hit."""
    _show(_ask(state_dir, "GET")["faults"])


@faults_app.command()
def clear(
    name: Annotated[str, typer.Argument(help="Only faults of this name.")] = "",
    state_dir: StateDir = DEFAULT_DIR,
) -> None:
    """Switch faults off: all, or those of a name."""
    _show(_ask(state_dir, "DELETE", query=f"?name={quote(name)}" if name else "")["faults"])


def _ask(state_dir: Any, verb: str, document: dict[str, Any] | None = None, query: str = "") -> Any:
    url = f"{require_running(state_dir).http}/faults{query}"
    body = json.dumps(document).encode() if document else None
    request = urllib.request.Request(url, data=body, method=verb)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise could_not(json.load(error)["error"]["message"]) from error
    except OSError as error:
        raise could_not(f"{verb} {url}: {error}") from error


def _show(faults: list[dict[str, Any]]) -> None:
    for fault in faults:
        lasts = f" for {fault['seconds']:g} s" if fault["seconds"] else ""
        requests = f"requests to {fault['target']}" if fault["target"] else ""
        hit = " and ".join(filter(None, (fault["method"], requests, fault["permission"])))
        typer.echo(f"{fault['name']} on {hit}, rate {fault['rate']:g}{lasts}, {fault['hits']} hits so far")
    if not faults:
        typer.echo("no fault is on")
