"""A tail session keeps to its limits and may be broken off: over the wire, with limits in a test's reach."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
import pytest
from google.api_core import exceptions
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2AsyncClient
from google.cloud.logging_v2.services.logging_service_v2.transports import (
    LoggingServiceV2GrpcAsyncIOTransport,
)
from google.cloud.logging_v2.types import LogEntry, TailLogEntriesRequest, TailLogEntriesResponse

from runbook_lib.emulator.log_store import LogStore
from runbook_lib.emulator.log_tail import Tailer, TailLimits
from runbook_lib.emulator.wire import Method, StreamEnd, grpc_handlers, stream_method

LIMITS_PAGE = "https://cloud.google.com/logging/quotas#api-limits"
TAIL_PAGE = "https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/tail"
REASON = TailLogEntriesResponse.SuppressionInfo.Reason


async def accept(_: Method) -> None:
    """Let every call pass."""


@contextlib.asynccontextmanager
async def tailing(
    store: LogStore, limits: TailLimits, stream_end_s: StreamEnd = lambda _: None
) -> AsyncIterator[AsyncIterator[TailLogEntriesResponse]]:
    """Serve a log on a socket and tail it with the real client; the session is open when this begins."""
    method = stream_method(
        "google.logging.v2.LoggingServiceV2",
        "TailLogEntries",
        TailLogEntriesRequest.pb(),
        Tailer(store, limits).stream,
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(tuple(grpc_handlers([method], accept, stream_end_s)))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        client = LoggingServiceV2AsyncClient(transport=LoggingServiceV2GrpcAsyncIOTransport(channel=channel))
        request = TailLogEntriesRequest(resource_names=["projects/p"], buffer_window={"nanos": 50_000_000})

        async def requests() -> AsyncIterator[TailLogEntriesRequest]:
            yield request

        yield aiter(await client.tail_log_entries(requests=requests(), timeout=30))
    await server.stop(None)


def fill(store: LogStore, first: int, count: int) -> None:
    """Add numbered entries."""
    for number in range(first, first + count):
        store.add(LogEntry.pb()(log_name="projects/p/logs/x", insert_id=f"{number:06d}"))


async def opened(store: LogStore) -> None:
    """Wait until a session listens."""
    async with asyncio.timeout(20):
        while not store.listeners:
            await asyncio.sleep(0.01)


@pytest.mark.conformance(LIMITS_PAGE)
async def test_entries_above_the_rate_are_left_out_and_counted() -> None:
    store = LogStore()
    async with tailing(store, TailLimits(entries_per_minute=5)) as responses:
        await opened(store)
        fill(store, 0, 8)
        first = await anext(responses)
    assert [entry.insert_id for entry in first.entries] == [f"{number:06d}" for number in range(5)]
    (suppressed,) = first.suppression_info
    assert (suppressed.reason, suppressed.suppressed_count) == (REASON.RATE_LIMIT, 3)


@pytest.mark.conformance(TAIL_PAGE)
async def test_entries_that_the_client_does_not_fetch_in_time_are_left_out_and_counted_once() -> None:
    store = LogStore()
    async with tailing(store, TailLimits(waiting=2)) as responses:
        await opened(store)
        fill(store, 0, 6)
        first = await anext(responses)
        fill(store, 6, 1)
        second = await anext(responses)
    (suppressed,) = first.suppression_info
    assert (len(first.entries), suppressed.reason, suppressed.suppressed_count) == (2, REASON.NOT_CONSUMED, 4)
    assert (len(second.entries), list(second.suppression_info)) == (1, [])


@pytest.mark.conformance(LIMITS_PAGE)
@pytest.mark.refusal
async def test_a_session_ends_when_its_time_is_over_and_is_no_longer_fed() -> None:
    store = LogStore()
    async with tailing(store, TailLimits(session_s=0.4)) as responses:
        await opened(store)
        with pytest.raises(exceptions.OutOfRange, match=r"has lasted 0\.4 s, the limit"):
            await anext(responses)
    assert not store.listeners


async def test_a_stream_may_be_dropped_after_a_while() -> None:
    store = LogStore()
    async with tailing(
        store, TailLimits(), lambda method: 0.5 if method.name == "TailLogEntries" else None
    ) as responses:
        await opened(store)
        fill(store, 0, 1)
        assert len((await anext(responses)).entries) == 1
        with pytest.raises(
            exceptions.ServiceUnavailable, match=r"TailLogEntries: the stream was dropped after 0\.5 s"
        ):
            await anext(responses)
    assert not store.listeners
