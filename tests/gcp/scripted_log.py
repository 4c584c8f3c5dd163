"""A log whose pages and refusals a test writes down; it answers Google's wire on a socket of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse, LogEntry

START = datetime(2026, 5, 5, tzinfo=UTC)
START_NS = int(START.timestamp()) * 10**9
_SERVICE = "google.logging.v2.LoggingServiceV2"


@dataclass(kw_only=True)
class ScriptedLog:
    """Answers `entries.list` with its pages in turn.

    Attributes:
        pages: The entries of each page.
        refusals: Status by number of the call, from 1; every other call is answered.
        calls: Requests that came, in order.
    """

    pages: Sequence[Sequence[Any]]
    refusals: Mapping[int, grpc.StatusCode] = field(default_factory=dict)
    calls: list[Any] = field(default_factory=list)

    def answer(self, request: Any, context: Any) -> Any:
        """Answer one call."""
        self.calls.append(request)
        refusal = self.refusals.get(len(self.calls))
        if refusal:
            context.abort(refusal, "as the script says")
        number = int(request.page_token or 0)
        more = number + 1 < len(self.pages)
        return ListLogEntriesResponse.pb()(
            entries=self.pages[number], next_page_token=str(number + 1) if more else ""
        )


@contextmanager
def serving(log: ScriptedLog) -> Iterator[str]:
    """Yield the address on which the log answers."""
    method = grpc.unary_unary_rpc_method_handler(
        log.answer,
        request_deserializer=ListLogEntriesRequest.pb().FromString,
        response_serializer=ListLogEntriesResponse.pb().SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(1), options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_SERVICE, {"ListLogEntries": method}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def entry(number: int, **fields: Any) -> Any:
    """Return an entry `number` milliseconds after the start; fields as in `LogEntry`."""
    message = LogEntry.pb()(
        **{
            "log_name": "projects/p/logs/run.googleapis.com%2Fstdout",
            "resource": {"type": "cloud_run_revision", "labels": {"revision_name": "rev"}},
            "insert_id": f"{number:08d}",
            "text_payload": f"line {number}",
            "severity": 200,
            **fields,
        }
    )
    at_ns = START_NS + number * 1_000_000
    message.timestamp.FromNanoseconds(at_ns)
    message.receive_timestamp.FromNanoseconds(at_ns + 250_000_000)
    return message


@dataclass
class HandClock:
    """A clock that moves only when somebody waits. `sleeps` are those waits, in seconds."""

    seconds: float = 0.0
    sleeps: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic_s(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.seconds += seconds
