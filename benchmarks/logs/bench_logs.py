"""Measure how fast log entries come into a table, against the client's own way and against mere parsing.

Each way runs in a process of its own, so that its peak of memory is its own. Prints one line per way, then
the ratios. Needs nothing but this machine.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from google.auth.credentials import AnonymousCredentials
from google.cloud import logging as client_library
from google.cloud.logging_v2 import _gapic
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse

from benchmarks.results import Result, record, table
from runbook_lib.gcp.channels import channel_to
from runbook_lib.gcp.cloud_logging import CloudLogging
from runbook_lib.gcp.log_columns import SCHEMA
from runbook_lib.plan import Target
from runbook_lib.ports.logs import LogQuery

COMMAND = ".venv/bin/python benchmarks/logs/bench_logs.py"
ENTRIES, ROUNDS = 200_000, 3
METHOD = "/google.logging.v2.LoggingServiceV2/ListLogEntries"
NO_QUOTA = 10**9
TARGET = Target(project="netra-staging", region="us-central1", service="backend-service")


def query(count: int) -> LogQuery:
    """Ask for a window in which the page server has so many entries."""
    start, end = (datetime.fromtimestamp(second, UTC) for second in (0, 4e9))
    return LogQuery(revision=f"first-{count}", start=start, end=end, limit=10**9)


def ours(address: str) -> CloudLogging:
    """Return our adapter without a quota, which would hold it to 1,000 entries a second."""
    return CloudLogging(TARGET, channel_to(address), requests_per_minute=NO_QUOTA)


def by_runbook(address: str, count: int) -> int:
    """Read into a DataFrame by our adapter."""
    return len(ours(address).read(query(count)))


def to_parquet(address: str, count: int) -> int:
    """Stream into a Parquet file by our adapter."""
    rows = 0
    with tempfile.NamedTemporaryFile() as file, pq.ParquetWriter(file.name, SCHEMA) as writer:
        for batch in ours(address).batches(query(count)):
            writer.write_batch(batch)
            rows += len(batch)
    return rows


def by_client(address: str, count: int) -> int:
    """Read into a DataFrame by the client's own `list_entries`."""
    client = client_library.Client(project=TARGET.project, credentials=AnonymousCredentials())
    transport = LoggingServiceV2GrpcTransport(channel=channel_to(address))
    client._logging_api = _gapic._LoggingAPI(LoggingServiceV2Client(transport=transport), client)
    entries = client.list_entries(filter_=f'timestamp>"2020" AND "first-{count}"', page_size=1000)
    return len(pd.DataFrame([entry.to_api_repr() for entry in entries]))


def parsing(address: str, count: int) -> int:
    """Parse the same pages into messages, and do nothing with them."""
    call = channel_to(address).unary_unary(
        METHOD,
        request_serializer=ListLogEntriesRequest.pb().SerializeToString,
        response_deserializer=ListLogEntriesResponse.pb().FromString,
    )
    rows, token = 0, "0"
    while token:
        page = call(ListLogEntriesRequest.pb()(filter=f'"first-{count}"', page_token=token))
        rows, token = rows + len(page.entries), page.next_page_token
    return rows


WAYS: dict[str, Callable[[str, int], int]] = {
    "runbook": by_runbook, "runbook to Parquet": to_parquet, "client": by_client, "parsing": parsing,
}  # fmt: skip


def measured(way: str, address: str, count: int) -> None:
    """Print, as JSON, the seconds that a way took and the bytes by which it raised the peak of memory."""
    WAYS[way](address, 1000)  # imports and connections are no part of it
    before, since = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    rows = WAYS[way](address, count)
    took_s = time.perf_counter() - since
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert rows == count, (rows, count)
    print(json.dumps({"took_s": took_s, "peak_bytes": (after - before) * 1024}))


def in_a_process(way: str, address: str, count: int) -> dict[str, float]:
    """Return what `measured` prints in a new process."""
    argv = [sys.executable, __file__, "--way", way, "--address", address, "--entries", str(count)]
    shown = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(shown))


@contextmanager
def page_server(*counts: int) -> Iterator[str]:
    """Start the page server and yield its address."""
    argv = [sys.executable, str(Path(__file__).parent / "page_server.py"), *map(str, counts)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield f"127.0.0.1:{int(server.stdout.readline())}"
        assert server.stdin
        server.stdin.close()


def report(count: int, rounds: int) -> None:
    """Measure every way, interleaved, and print medians and ratios."""
    small = count // 10
    with page_server(1000, small, count) as address:
        runs: dict[Any, list[dict[str, float]]] = {}
        for number in range(rounds):
            for way in WAYS:
                if way != "client" or number == 0:  # half a minute each
                    runs.setdefault(way, []).append(in_a_process(way, address, count))
            for way in ("runbook", "runbook to Parquet"):
                runs.setdefault((way, small), []).append(in_a_process(way, address, small))

    def median(key: Any, field: str) -> float:
        return statistics.median(run[field] for run in runs[key])

    rates = {way: count / median(way, "took_s") for way in WAYS}
    for way, rate in rates.items():
        print(f"{way:<20} {rate:>9,.0f} entries/s  {median(way, 'peak_bytes') / count:7,.0f} bytes an entry")
    against = results(rates, rounds)
    if (count, rounds) == (ENTRIES, ROUNDS):
        record(against)
    else:
        print(table(against))
    tenfold = median("runbook", "took_s") / median(("runbook", small), "took_s")
    print(f"ten times entries    {tenfold:9.1f}  times the time (goal: at most 11)")
    flat = [
        median(key, "peak_bytes") / 2**20 for key in (("runbook to Parquet", small), "runbook to Parquet")
    ]
    print(f"peak to Parquet      {flat[0]:9.1f}  MiB for {small:,} entries, {flat[1]:.1f} MiB for {count:,}")


def results(rates: dict[str, float], rounds: int) -> list[Result]:
    """Return our entries a second over those of the client's own way and of mere parsing."""

    def against(peer: str, package: str, way: str, goal: float, runs: int) -> Result:
        return Result(
            name=f"log entries a second into a DataFrame, against {way}",
            ratio=rates["runbook"] / rates[peer],
            goal=goal,
            higher_is_better=True,
            peer=package,
            peer_version=version(package),
            runs=runs,
            command=COMMAND,
            ours=f"{rates['runbook']:,.0f}/s",
            theirs=f"{rates[peer]:,.0f}/s",
        )

    return [
        against("client", "google-cloud-logging", "the client's own list", 20, 1),
        against("parsing", "protobuf", "merely parsing them", 0.4, rounds),
    ]


def main() -> None:
    """Read the arguments: without any, measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--way", choices=WAYS, help="measure this one alone, in this process")
    parser.add_argument("--address", default="")
    given = parser.parse_args()
    if given.way:
        measured(given.way, given.address, given.entries)
    else:
        report(given.entries, given.rounds)


if __name__ == "__main__":
    main()
