"""Every entry comes once and in order, whatever the log's pages are like, and the read quota is kept."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import grpc
import pandas as pd
import pytest
from google.cloud.logging_v2.types import LogEntry
from scripted_log import START, HandClock, ScriptedLog, entry, serving

from runbook_lib.errors import CloudUnavailable, PermissionDenied
from runbook_lib.gcp.channels import channel_to
from runbook_lib.gcp.cloud_logging import CloudLogging
from runbook_lib.plan import Target
from runbook_lib.ports.logs import LogQuery, LogUsage

TARGET = Target(project="p", region="r", service="chat")
QUERY = LogQuery(revision="rev", start=START, end=START + timedelta(hours=1), limit=10**6)
EXHAUSTED, UNAVAILABLE = grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE


def read(log: ScriptedLog, query: LogQuery = QUERY, **options: Any) -> tuple[pd.DataFrame, LogUsage]:
    """Read a scripted log; return its table and what that cost."""
    with serving(log) as address:
        reader = CloudLogging(TARGET, channel_to(address), **options)
        return reader.read(query), reader.usage()


def messages(pages: Sequence[Sequence[Any]]) -> list[str]:
    """Return the messages that are read from these pages."""
    return list(read(ScriptedLog(pages=pages))[0]["message"])


def test_pages_are_followed_to_the_last_also_over_empty_ones() -> None:
    log = ScriptedLog(pages=[[entry(1)], [], [], [entry(2), entry(3)], []])
    table, usage = read(log)

    assert list(table["message"]) == ["line 1", "line 2", "line 3"]
    assert [call.page_token for call in log.calls] == ["", "1", "2", "3", "4"]
    assert usage == LogUsage(requests=5, waited_s=0.0, repeated=0)


def test_a_thousand_entries_need_one_request() -> None:
    pages = [[entry(page * 1000 + place) for place in range(1000)] for page in range(5)]
    log = ScriptedLog(pages=pages)
    table, usage = read(log)

    assert list(table["insert_id"]) == [f"{number:08d}" for number in range(5_000)]
    assert usage.requests == len(log.calls) == 5
    assert {call.page_size for call in log.calls} == {1000}


def test_the_next_page_is_not_asked_for_once_the_limit_is_reached() -> None:
    log = ScriptedLog(pages=[[entry(1), entry(2)], [entry(3), entry(4)], [entry(5)]])
    query = LogQuery(revision="rev", start=START, end=START + timedelta(hours=1), limit=3)

    assert list(read(log, query)[0]["message"]) == ["line 1", "line 2", "line 3"]
    assert len(log.calls) == 2


def test_batches_are_the_rows_of_the_table_some_at_a_time() -> None:
    pages = [[entry(page * 1000 + place) for place in range(1000)] for page in range(6)]
    with serving(ScriptedLog(pages=pages)) as address:
        reader = CloudLogging(TARGET, channel_to(address))
        batches = list(reader.batches(QUERY))
        table = reader.read(QUERY)

    assert max(len(batch) for batch in batches) < 5000
    assert [row for batch in batches for row in batch["insert_id"].to_pylist()] == list(table["insert_id"])


@pytest.mark.parametrize(
    "pages",
    [
        [[entry(1), entry(1), entry(2)]],
        [[entry(1)], [entry(1), entry(2)]],
        [[entry(1)], [], [entry(1)], [entry(2)]],
        [[entry(1), entry(1, insert_id="another"), entry(2)]],
        [[entry(1), entry(1, severity=500), entry(2)]],
        [[entry(2), entry(1)], [entry(2, insert_id="another")]],
    ],
    ids=[
        "on one page",
        "over two pages",
        "over an empty page",
        "under another id",
        "with a difference",
        "and out of order",
    ],
)
def test_what_is_delivered_twice_comes_once(pages: Sequence[Sequence[Any]]) -> None:
    log = ScriptedLog(pages=pages)
    table, usage = read(log)

    assert list(table["message"]) == ["line 1", "line 2"]
    assert usage.repeated == sum(map(len, pages)) - 2


@pytest.mark.parametrize(
    "other",
    [
        {"text_payload": "something else"},
        {"log_name": "projects/p/logs/run.googleapis.com%2Fstderr"},
        {"labels": {"instanceId": "another instance"}},
        {"severity": 500},
        {"trace": "projects/p/traces/1"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_two_entries_of_one_moment_that_differ_are_two(other: dict[str, Any]) -> None:
    assert len(messages([[entry(1), entry(1, insert_id="b", **other)]])) == 2


PAYLOADS: dict[str, tuple[dict[str, Any], str]] = {
    "text": ({"text_payload": "a line"}, "a line"),
    "a line of a megabyte": ({"text_payload": "x" * 2**20}, "x" * 2**20),
    "what a terminal or a browser would obey": (
        {"text_payload": "\x1b[31m<script>\u202e\ufffd"},
        "\x1b[31m<script>\u202e\ufffd",
    ),
    "a message": ({"json_payload": {"level": 3, "message": "said", "more": {"message": "inner"}}}, "said"),
    "no message": (
        {"json_payload": {"list": [1, "zwei"], "level": "3"}},
        '{"level": "3", "list": [1.0, "zwei"]}',
    ),
    "a message that is none": ({"json_payload": {"message": {"code": 7}}}, '{"code": 7.0}'),
    "an empty message": ({"json_payload": {"message": ""}}, ""),
    "an empty payload": ({"json_payload": {}}, "{}"),
    "a request": ({"http_request": {"request_method": "GET", "request_url": "/x"}}, "GET /x"),
    "a request that says more": (
        {"text_payload": "no instance", "http_request": {"request_method": "GET", "request_url": "/x"}},
        "no instance",
    ),
    "nothing": ({}, ""),
}


@pytest.mark.parametrize(("payload", "message"), PAYLOADS.values(), ids=PAYLOADS)
def test_an_entry_says_its_message_whatever_its_payload(payload: dict[str, Any], message: str) -> None:
    before, after = entry(1), entry(3)
    assert messages([[before, plain(2, payload), after]]) == ["line 1", message, "line 3"]


def plain(number: int, payload: dict[str, Any]) -> Any:
    """Return an entry with this payload only."""
    made = entry(number)
    made.ClearField("text_payload")
    made.MergeFrom(LogEntry.pb()(**{key: value for key, value in payload.items() if key != "json_payload"}))
    if "json_payload" in payload:
        made.json_payload.SetInParent()
        made.json_payload.update(payload["json_payload"])
    return made


def test_an_entry_says_its_stack_trace_its_instance_and_its_severity() -> None:
    stack = {"message": "failed", "stack_trace": "Traceback ..."}
    told = plain(1, {"json_payload": stack, "labels": {"commit": "a", "instanceId": "0012"}, "severity": 500})
    exception = plain(2, {"json_payload": {"message": "failed", "exception": "at x"}, "severity": 450})
    table, _ = read(ScriptedLog(pages=[[told, exception, entry(3)]]))

    assert table[["severity", "stack", "instance"]].values.tolist() == [
        ["ERROR", "Traceback ...", "0012"], ["450", "at x", ""], ["INFO", "", ""],
    ]  # fmt: skip


def test_order_is_restored_even_over_pages() -> None:
    assert messages([[entry(3), entry(1)], [entry(2)]]) == ["line 1", "line 2", "line 3"]


def test_a_page_that_is_unavailable_is_asked_for_again_and_no_other() -> None:
    pages = [[entry(number)] for number in range(9)]
    log = ScriptedLog(pages=pages, refusals=dict.fromkeys((5, 10), UNAVAILABLE))
    table, usage = read(log)

    assert list(table["message"]) == [f"line {number}" for number in range(9)]
    assert [call.page_token for call in log.calls] == ["", *"1234456788"]
    assert usage.requests == 11


def test_a_log_that_stays_unavailable_is_an_error_after_four_calls() -> None:
    log = ScriptedLog(pages=[[]], refusals=dict.fromkeys(range(1, 99), UNAVAILABLE))
    with pytest.raises(CloudUnavailable, match=r"entries\.list on chat answered UNAVAILABLE"):
        read(log)
    assert len(log.calls) == 4


def test_what_may_not_be_repeated_is_not() -> None:
    log = ScriptedLog(pages=[[]], refusals={1: grpc.StatusCode.PERMISSION_DENIED})
    with pytest.raises(PermissionDenied):
        read(log)
    assert len(log.calls) == 1


def test_the_quota_is_kept_by_waiting_which_is_said_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    clock, log = HandClock(), ScriptedLog(pages=[[entry(number)] for number in range(8)])
    with caplog.at_level(logging.WARNING):
        table, usage = read(log, clock=clock, requests_per_minute=3)

    assert len(table) == 8
    assert clock.sleeps == [60.0, 60.0]
    assert usage == LogUsage(requests=8, waited_s=120.0, repeated=0)
    said = "the read quota of Cloud Logging is used up: waiting 60 s"
    assert [record.message for record in caplog.records] == [said, said]


def test_requests_that_are_a_minute_old_are_free_again() -> None:
    clock, log = HandClock(), ScriptedLog(pages=[[entry(1)], [entry(2)]])
    with serving(log) as address:
        reader = CloudLogging(TARGET, channel_to(address), clock=clock, requests_per_minute=2)
        reader.read(QUERY)
        clock.seconds += 60.0
        reader.read(QUERY)
    assert clock.sleeps == []


def test_a_quota_that_others_used_up_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    log = ScriptedLog(pages=[[entry(1)], [entry(2)]], refusals={2: EXHAUSTED})
    table, usage = read(log)

    assert len(table) == 2
    assert usage.requests == 3
    assert usage.waited_s >= 1.0
    assert "the read quota of Cloud Logging is used up" in caplog.text


def test_an_entry_says_how_late_it_came_not_counting_its_request() -> None:
    slow = entry(2, http_request={"status": 200, "latency": {"nanos": 200_000_000}})
    old = entry(3)
    old.timestamp.FromNanoseconds(0)
    table, _ = read(ScriptedLog(pages=[[old, entry(1), slow]]))
    assert list(table["late_s"]) == pytest.approx([START.timestamp() + 0.253, 0.25, 0.05])
