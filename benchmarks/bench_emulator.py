"""Measure what a page costs on the local cloud in a log of 100,000 entries against one of 1,000 entries.

Both emulators, with 50 revisions each, run side by side and are asked in turns by the real clients, so that
the machine's noise hits both alike. Prints the medians of several runs, the ratios and the memory; needs
nothing but this machine.
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil
from google.api_core.future.polling import DEFAULT_POLLING
from google.cloud import run_v2
from google.cloud.logging_v2 import types
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport

from benchmarks.results import Result, record

RUNS, PAGES = 5, 200
SMALL, LARGE = 1_000, 100_000
REVISIONS = 50
BATCH = 1_000
PLACE = "projects/bench/locations/us-central1"
SERVICE = f"{PLACE}/services/backend"
POLLING = DEFAULT_POLLING.with_delay(initial=0.02, maximum=0.05, multiplier=1.0).with_timeout(60)
COMMAND = ".venv/bin/python benchmarks/bench_emulator.py"
EMULATOR = (sys.executable, "-m", "runbook_lib.emulator")
# A server that only listens: 50 revisions shall start quickly.
LISTEN = (
    "import os, socket; s = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\nwhile 1: s.accept()"
)
QUERIES = {
    # Name: filter, order, entries a page. Pages are small enough to be full in both logs.
    "unfiltered": ("", "", 50),
    "newest first": ("", "timestamp desc", 50),
    "by service": ('resource.labels.service_name="backend"', "", 50),
    "type, service, severity": (
        'resource.type="cloud_run_revision" resource.labels.service_name="backend" severity>=ERROR', "", 20,
    ),
    "revision and severity": ('resource.labels.revision_name="backend-00050" AND severity>=ERROR', "", 10),
    "text, rare hits": ('"needle in the"', "", 1),
    "text, no hit": ('"there is no such text"', "", 50),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """One emulator and the clients on it."""

    pid: int
    logs: LoggingServiceV2Client
    services: run_v2.ServicesClient
    revisions: run_v2.RevisionsClient

    def rss_mb(self) -> float:
        """Return the memory of the emulator with the processes of all its revisions."""
        process = psutil.Process(self.pid)
        return sum(p.memory_info().rss for p in (process, *process.children(recursive=True))) / 1e6


@contextmanager
def cloud(folder: Path) -> Iterator[Cloud]:
    """Start an emulator by its command, and end it."""
    catalogue, state = folder / "catalogue.json", str(folder / "state")
    catalogue.write_text(
        json.dumps({"images": {"listen": {"command": [sys.executable, "-S", "-c", LISTEN]}}})
    )
    options = ["--catalogue", str(catalogue), "--log-read-quota", "0", "--log-delay", "0"]
    up = subprocess.run(
        [*EMULATOR, "up", "--json", "--state-dir", state, *options],
        check=True,
        capture_output=True,
        text=True,
    )
    info = json.loads(up.stdout)
    channel = grpc.insecure_channel(info["grpc"], options=[("grpc.max_receive_message_length", -1)])
    try:
        yield Cloud(
            pid=info["pid"],
            logs=LoggingServiceV2Client(transport=LoggingServiceV2GrpcTransport(channel=channel)),
            services=run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel)),
            revisions=run_v2.RevisionsClient(transport=RevisionsGrpcTransport(channel=channel)),
        )
    finally:
        channel.close()
        subprocess.run([*EMULATOR, "down", "--state-dir", state], check=True, capture_output=True)


def make_revisions(on: Cloud) -> None:
    """Deploy one service again and again."""
    service = run_v2.Service(template={"containers": [{"image": "listen"}]})
    on.services.create_service(parent=PLACE, service_id="backend", service=service).result(polling=POLLING)
    for number in range(2, REVISIONS + 1):
        service = run_v2.Service(name=SERVICE, template={"containers": [{"image": "listen"}]})
        service.template.containers[0].env = [{"name": "NUMBER", "value": str(number)}]
        on.services.update_service(service=service).result(polling=POLLING)


def write_entries(on: Cloud, count: int) -> None:
    """Write entries as a service makes them: 8 of 10 by the two newest revisions, 1 of 20 an error."""
    rng = random.Random(891)
    for numbers in _batches(count):
        request = types.WriteLogEntriesRequest.pb()(entries=[entry(number, rng) for number in numbers])
        on.logs.write_log_entries(request=types.WriteLogEntriesRequest(request))


def _batches(count: int) -> Iterator[range]:
    return (range(start, min(start + BATCH, count)) for start in range(0, count, BATCH))


def entry(number: int, rng: random.Random) -> object:
    """Return one entry, a millisecond after the one before."""
    newest = rng.random() < 0.8
    revision = rng.randint(REVISIONS - 1, REVISIONS) if newest else rng.randint(1, REVISIONS - 2)
    labels = {
        "project_id": "bench",
        "location": "us-central1",
        "service_name": "backend",
        "configuration_name": "backend",
        "revision_name": f"backend-{revision:05d}",
    }
    made = types.LogEntry.pb()(
        log_name="projects/bench/logs/run.googleapis.com%2Fstdout",
        resource={"type": "cloud_run_revision", "labels": labels},
        severity=500 if rng.random() < 0.05 else 200,
        insert_id=uuid.UUID(int=rng.getrandbits(128)).hex[:20],
        labels={"instanceId": f"{revision:064x}"},
        trace=f"projects/bench/traces/{rng.getrandbits(128):032x}",
        span_id=f"{rng.getrandbits(64):016x}",
    )
    made.timestamp.FromMilliseconds(1_790_000_000_000 + number)
    message = f"session {number} of user-{rng.randint(1, 500)}@example.test answered"
    made.json_payload.update({"message": message, "agent": "triage", "latency_s": rng.random()})
    if number % SMALL == SMALL // 2:
        made.json_payload["note"] = "a needle in the haystack"
    return made


def log_pages(on: Cloud, query: str) -> Callable[[], int]:
    """Return a function that fetches the next page of a query and begins anew after the last."""
    filter_, order, size = QUERIES[query]
    request = types.ListLogEntriesRequest(
        resource_names=["projects/bench"], filter=filter_, order_by=order, page_size=size
    )

    def fetch() -> int:
        answer = next(on.logs.list_log_entries(request=request, retry=None).pages)
        # A page that is not full would be the cheaper one: begin anew.
        request.page_token = answer.next_page_token if len(answer.entries) == size else ""
        return len(answer.entries)

    return fetch


def run_pages(on: Cloud) -> dict[str, Callable[[], int]]:
    """Return functions that fetch a page of revisions and of services."""

    def revisions() -> int:
        return len(next(on.revisions.list_revisions(parent=SERVICE, retry=None).pages).revisions)

    def services() -> int:
        return len(next(on.services.list_services(parent=PLACE, retry=None).pages).services)

    return {"revisions list": revisions, "services list": services}


def times_ms(fetches: list[Callable[[], int]]) -> list[list[float]]:
    """Fetch pages from all in turns; return the times of each, and check that they hold the same."""
    times: list[list[float]] = [[] for _ in fetches]
    for _ in range(PAGES):
        for fetch, own in zip(fetches, times, strict=True):
            since = time.perf_counter()
            fetch()
            own.append((time.perf_counter() - since) * 1e3)
    return times


def p99(times: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(times, n=100, method="inclusive")[98]


def measure(clouds: list[Cloud]) -> dict[str, list[list[list[float]]]]:
    """Return by query, run and emulator the times of its pages."""
    found: dict[str, list[list[list[float]]]] = {}
    gc.freeze()
    for _ in range(RUNS):
        for query in QUERIES:
            found.setdefault(query, []).append(times_ms([log_pages(on, query) for on in clouds]))
        for listing in run_pages(clouds[0]):
            found.setdefault(listing, []).append(times_ms([run_pages(on)[listing] for on in clouds]))
    return found


def show(found: dict[str, list[list[list[float]]]]) -> list[Result]:
    """Print a line for each query, medians over the runs, and return the ratios of the two."""
    print(f"{'a page, ms':26} {'1,000 entries':>19} {'100,000 entries':>19}")
    print(f"{'':26} {'p50':>9} {'p99':>9} {'p50':>9} {'p99':>9}")
    results = []
    for query, runs in found.items():
        columns = []
        for emulator in range(2):
            columns.append(statistics.median(statistics.median(run[emulator]) for run in runs))
            columns.append(statistics.median(p99(run[emulator]) for run in runs))
        print(f"{query:26} " + " ".join(f"{value:9.2f}" for value in columns))
        results.append(
            Result(
                name=f"local cloud, a page of 100,000 log entries over one of 1,000, p99: {query}",
                ratio=columns[3] / columns[1], higher_is_better=False, peer="the same with 1,000 entries",
                peer_version="–", runs=RUNS, command=COMMAND,
                ours=f"{columns[3]:.1f} ms", theirs=f"{columns[1]:.1f} ms",
            )
        )  # fmt: skip
    return results


def main() -> None:
    """Fill both emulators, then measure."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        clouds = []
        for count in (SMALL, LARGE):
            folder = Path(name, str(count))
            folder.mkdir()
            clouds.append(stack.enter_context(cloud(folder)))
            make_revisions(clouds[-1])
            since = time.monotonic()
            write_entries(clouds[-1], count)
            rate = count / (time.monotonic() - since)
            print(
                f"{count} entries, {REVISIONS} revisions: {clouds[-1].rss_mb():.0f} MB, {rate:.0f} writes/s"
            )
        record(show(measure(clouds)))
        print(f"median of {RUNS} interleaved runs of {PAGES} pages; in the end {clouds[1].rss_mb():.0f} MB")


if __name__ == "__main__":
    main()
