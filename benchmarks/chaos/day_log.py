"""The live log of a day that is simulated: real streams on a socket of this process, which end every hour."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from queue import SimpleQueue
from typing import Any

import grpc
from day_world import STATES
from google.cloud.logging_v2.types import LogEntry, TailLogEntriesRequest, TailLogEntriesResponse

from runbook_lib.clock import Clock
from runbook_lib.evidence import ROLES
from runbook_lib.gcp.channels import channel_to
from runbook_lib.gcp.log_tail import CloudLogTail
from runbook_lib.notebook.follow import LastLines

LINES = 20
_SERVICE = "google.logging.v2.LoggingServiceV2"


class Follower:
    """What a cell with a live log holds, and the stream that it listens to."""

    def __init__(self, tail: CloudLogTail, queue: SimpleQueue[Any], clock: Clock, an_hour: int) -> None:
        self._news, self._queue, self._clock = iter(tail), queue, clock
        self._every_s, self._next_s = 3600 / an_hour, 0.0
        self._shown = LastLines({state.name: role for role, state in STATES.items()})

    def hear(self) -> None:
        """Have both revisions log some lines, if it is time for it, and show them."""
        if self._clock.monotonic_s() < self._next_s:
            return
        self._next_s += self._every_s
        self._queue.put(_response(self._clock.now()))
        self._shown.take(next(self._news))
        self._shown.shown()


@contextmanager
def following(clock: Clock, an_hour: int) -> Iterator[Follower]:
    """Yield a follower that hears `an_hour` times an hour."""
    queue: SimpleQueue[Any] = SimpleQueue()
    with _serving(queue, an_hour) as address, channel_to(address) as channel:
        with CloudLogTail(channel, TailLogEntriesRequest.pb()(), "chat", clock) as tail:
            yield Follower(tail, queue, clock, an_hour)
        queue.put(None)


@contextmanager
def _serving(queue: SimpleQueue[Any], most: int) -> Iterator[str]:
    """Answer with what is put into the queue; after `most` answers a stream is over, as on Google Cloud."""

    def tail(_: Iterator[Any], __: Any) -> Iterator[Any]:
        for _ in range(most):
            if (response := queue.get()) is None:
                return
            yield response

    method = grpc.stream_stream_rpc_method_handler(
        tail,
        request_deserializer=TailLogEntriesRequest.pb().FromString,
        response_serializer=TailLogEntriesResponse.pb().SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_SERVICE, {"TailLogEntries": method}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def _response(now: datetime) -> Any:
    return TailLogEntriesResponse.pb()(entries=[_entry(now, number) for number in range(LINES)])


def _entry(now: datetime, number: int) -> Any:
    revision = STATES[ROLES[number % 2]].name
    entry = LogEntry.pb()(
        log_name="projects/p/logs/run.googleapis.com%2Fstdout", insert_id=f"{now.timestamp():.0f}-{number}",
        resource={"type": "cloud_run_revision", "labels": {"revision_name": revision}}, severity=200,
        text_payload=f"line {number} of {now}: " + "a user has asked something " * 8,
    )  # fmt: skip
    entry.timestamp.FromDatetime(now)
    entry.receive_timestamp.FromDatetime(now)
    return entry
