"""Serve pages of realistic Cloud Run log entries that were encoded beforehand, so that no server is measured.

Started by bench_logs.py; prints its port, then serves until its standard input ends.
"""

from __future__ import annotations

import random
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse, LogEntry

PAGE = 1000
_PROJECT = "projects/netra-staging"
_LABELS = {
    "service_name": "backend-service", "revision_name": "backend-service-00042-kem",
    "configuration_name": "backend-service", "location": "us-central1", "project_id": "netra-staging",
}  # fmt: skip
_START_NS = 1_760_000_000 * 10**9
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"


def entry(number: int, rng: random.Random) -> Any:
    """Return a request entry for even numbers, a line of the service for odd ones: about 720 bytes each."""
    at_ns = _START_NS + number * 1_000_000
    message = LogEntry.pb()(
        log_name=f"{_PROJECT}/logs/run.googleapis.com%2F{'stdout' if number % 2 else 'requests'}",
        resource={"type": "cloud_run_revision", "labels": _LABELS},
        labels={"instanceId": f"{rng.getrandbits(4):0128x}"},
        insert_id=f"{rng.getrandbits(80):020x}",
        severity=500 if number % 200 == 1 else 200,
        trace=f"{_PROJECT}/traces/{rng.getrandbits(128):032x}",
        span_id=f"{rng.getrandbits(64):016x}",
    )
    message.timestamp.FromNanoseconds(at_ns)
    message.receive_timestamp.FromNanoseconds(at_ns + 40_000_000)
    (_line if number % 2 else _request)(message, number, rng)
    return message


def _request(message: Any, number: int, rng: random.Random) -> None:
    request = message.http_request
    request.request_method, request.status, request.protocol = "GET", 200, "HTTP/1.1"
    request.request_url = f"https://backend-service-abcdef-uc.a.run.app/api/agents/{number}?page=2"
    request.user_agent, request.remote_ip, request.server_ip = _BROWSER, "203.0.113.7", "203.0.113.9"
    request.response_size = rng.randrange(9000)
    request.latency.FromNanoseconds(rng.randrange(10**9))


def _line(message: Any, number: int, rng: random.Random) -> None:
    message.json_payload.update({
        "message": f"session {rng.getrandbits(32):08x} of user-{number % 997} answered in {number % 900} ms",
        "logger": "sample-agent", "user": f"user-{number % 997}", "session": f"{rng.getrandbits(64):016x}",
        "elapsed_ms": float(number % 900), "agent": "triage", "attempt": 1.0,
    })  # fmt: skip


def pages(count: int) -> list[bytes]:
    """Return `count` entries as encoded pages; each page's token is the number of the next one."""
    rng = random.Random(7)
    last = count // PAGE
    return [
        ListLogEntriesResponse.pb()(
            entries=[entry(number * PAGE + place, rng) for place in range(PAGE)],
            next_page_token=str(number + 1) if number + 1 < last else "",
        ).SerializeToString()
        for number in range(last)
    ]


def main() -> None:
    """Serve the pages; a list's filter is a number: how many entries it has."""
    served = {count: pages(count) for count in map(int, sys.argv[1:])}

    def answer(request: Any, _: grpc.ServicerContext) -> bytes:
        count = next(count for count in served if f'"first-{count}"' in request.filter)
        return served[count][int(request.page_token or 0)]

    method = grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=ListLogEntriesRequest.pb().FromString
    )
    service = grpc.method_handlers_generic_handler(
        "google.logging.v2.LoggingServiceV2", {"ListLogEntries": method}
    )
    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    main()
