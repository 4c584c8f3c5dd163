"""The live log against the emulator's streams: it comes, it ends, it mends, and it says what is missing."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import local
import pandas as pd
import pytest
from cloud import Staging
from google.cloud.logging_v2.types import TailLogEntriesRequest, TailLogEntriesResponse
from patience import eventually
from scripted_log import entry
from test_cloud_logging import DTYPES

from runbook_lib.errors import PermissionDenied
from runbook_lib.gcp.channels import channel_to
from runbook_lib.gcp.cloud_logging import CloudLogging
from runbook_lib.plan import Target
from runbook_lib.ports.logs import LogNews, LogTail

TARGET = Target(project="p", region="r", service="chat")
UNAVAILABLE, OUT_OF_RANGE = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OUT_OF_RANGE


class Reader:
    """A thread that reads a live log, as a notebook's panel does."""

    def __init__(self, live: LogTail) -> None:
        self.live, self.news, self.ended = live, list[LogNews](), False
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        self.news.extend(self.live)
        self.ended = True

    def entries(self) -> pd.DataFrame:
        return pd.concat([news.entries for news in self.news]) if self.news else pd.DataFrame()

    def close(self) -> bool:
        self.live.close()
        self._thread.join(10)
        return self.ended


def test_entries_come_while_they_are_logged_of_the_asked_revisions_alone_until_it_is_closed(
    staging: Staging,
) -> None:
    revision, url = staging.create(), staging.cloud.run.service().url
    logging = staging.cloud.logging
    reader = Reader(logging.follow([revision, "another"], "httpRequest.status>=200"))
    other = Reader(logging.follow(["another"]))
    numbers = itertools.count()
    eventually(lambda: local.get(f"{url}/health?{next(numbers)}") and len(reader.entries()))
    table = reader.entries()

    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == DTYPES
    assert set(table["revision"]) == {revision}
    assert set(table["log"]) == {"requests"}
    assert table["insert_id"].is_unique
    assert logging.usage().requests == 0
    assert (reader.close(), other.close(), other.news) == (True, True, [])


@dataclass(kw_only=True)
class ScriptedTail:
    """Answers each opened stream by its own part of a script: messages, then a status or (None) nothing."""

    parts: list[tuple[list[Any], grpc.StatusCode | None]]
    opened: list[Any] = field(default_factory=list)

    def answer(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        self.opened.append(next(requests))
        messages, status = self.parts[min(len(self.opened), len(self.parts)) - 1]
        yield from messages
        if status:
            context.abort(status, "as the script says")
        next(requests, None)  # until the client leaves


@contextmanager
def serving(script: ScriptedTail) -> Iterator[LogTail]:
    """Yield a live log of the script."""
    method = grpc.stream_stream_rpc_method_handler(
        script.answer,
        request_deserializer=TailLogEntriesRequest.pb().FromString,
        response_serializer=TailLogEntriesResponse.pb().SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(4))
    service = "google.logging.v2.LoggingServiceV2"
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {"TailLogEntries": method}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with CloudLogging(TARGET, channel_to(f"127.0.0.1:{port}")).follow(['re"v']) as live:
            yield live
    finally:
        server.stop(None).wait()


def said(*numbers: int, **suppressed: int) -> Any:
    """Return a message of the stream."""
    message = TailLogEntriesResponse.pb()(entries=[entry(number) for number in numbers])
    for reason, count in suppressed.items():
        message.suppression_info.add(reason=reason, suppressed_count=count)
    return message


def messages(news: LogNews) -> list[str]:
    """Return what the entries say."""
    return list(news.entries["message"])


def test_news_are_in_order_without_repetitions_and_count_what_the_api_left_out() -> None:
    script = ScriptedTail(parts=[([said(2, 1, 2), said(RATE_LIMIT=7, NOT_CONSUMED=2)], None)])
    with serving(script) as live:
        first, second = itertools.islice(live, 2)

    assert (messages(first), dict(first.suppressed), first.missed_s) == (["line 1", "line 2"], {}, 0.0)
    assert (messages(second), dict(second.suppressed)) == ([], {"rate_limit": 7, "not_consumed": 2})
    asked = script.opened[0]
    assert list(asked.resource_names) == ["projects/p"]
    assert 'resource.labels.revision_name=("re\\"v")' in asked.filter
    assert list(live) == []  # closed by the end of the block


def test_a_stream_that_breaks_or_is_too_old_is_opened_again_and_the_gap_is_told() -> None:
    parts = [([said(1)], UNAVAILABLE), ([], UNAVAILABLE), ([said(2)], OUT_OF_RANGE), ([said(3)], None)]
    script = ScriptedTail(parts=parts)
    with serving(script) as live:
        found = list(itertools.islice(live, 3))

    assert [messages(news) for news in found] == [["line 1"], ["line 2"], ["line 3"]]
    assert len(script.opened) == 4
    assert found[0].missed_s == 0
    assert 0.7 < found[1].missed_s < 5  # a quarter and half a second of patience
    assert 0.2 < found[2].missed_s < found[1].missed_s


def test_a_refusal_is_an_error_and_waiting_for_the_api_can_be_ended() -> None:
    forbidden = ScriptedTail(parts=[([], grpc.StatusCode.PERMISSION_DENIED)])
    with serving(forbidden) as live, pytest.raises(PermissionDenied) as refused:
        next(iter(live))
    assert str(refused.value) == (
        "entries.tail on chat answered PERMISSION_DENIED (as the script says): "
        "grant the roles that docs/google-cloud.md lists"
    )
    script = ScriptedTail(parts=[([], UNAVAILABLE)])
    with serving(script) as live:
        reader = Reader(live)
        eventually(lambda: len(script.opened) == 3)
        assert reader.close()  # while it waits to try again
