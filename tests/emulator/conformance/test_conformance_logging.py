"""Log entries are written and listed as their pages say, and refused with the field and column at fault."""

import time
from typing import Any

import api_pages as pages
import pytest
from emulator_cloud import Cloud
from google.cloud.logging_v2.types import LogEntry
from rows import Call, Refusal, refusals

NAMES = ["projects/conformance"]
LOG = "projects/conformance/logs/conformance"
BAD_NAMES = ("", "conformance", "projects/conformance", "projects/conformance/logs/", "logs/conformance")


def listing(**request: Any) -> Call:
    """List entries of the project."""
    call = {"resource_names": NAMES, **request}
    return lambda cloud: cloud.logs.list_log_entries(request=call, retry=None)


def asking(filter_: str) -> Call:
    """List entries that match a filter."""
    return listing(filter=filter_)


def going_on(**changes: Any) -> Call:
    """Go on with a list by the token of another one."""

    def go_on(cloud: Cloud) -> Any:
        write(cloud, LogEntry(log_name=f"{LOG}-pages"), LogEntry(log_name=f"{LOG}-pages"))
        request = {"resource_names": NAMES, "filter": f'logName="{LOG}-pages"', "page_size": 1}
        page = next(iter(cloud.logs.list_log_entries(request=request).pages))
        assert page.next_page_token
        changed = {**request, "page_token": page.next_page_token, **changes}
        return cloud.logs.list_log_entries(request=changed, retry=None)

    return go_on


def writing(*log_names: str) -> Call:
    """Write an entry into each of these logs."""
    entries = [LogEntry(log_name=name, text_payload="refused") for name in log_names]
    return lambda cloud: write(cloud, *entries)


def write(cloud: Cloud, *entries: LogEntry, **request: Any) -> None:
    """Write entries, without a default log."""
    call = {"entries": list(entries), "resource": {"type": "global"}, **request}
    cloud.logs.write_log_entries(request=call, retry=None)


def stamped(text: str, second: int = 0, **fields: Any) -> LogEntry:
    """Return an entry of a fixed second of this hour."""
    entry = LogEntry(text_payload=text, **fields)
    LogEntry.pb(entry).timestamp.FromSeconds(int(time.time()) // 3600 * 3600 + second)
    return entry


LISTED = refusals(
    ("101 resources", pages.LIST_ENTRIES, listing(resource_names=NAMES * 101), "resource_names", "1 to 100"),
    ("a strange resource", pages.LIST_ENTRIES, listing(resource_names=["a"]), "resource_names", "'a' does"),
    ("no names", pages.LIST_ENTRIES, listing(resource_names=[]), "resource_names", "1 to 100"),
    ("fewer than no entries", pages.LIST_ENTRIES, listing(page_size=-1), "page_size", "-1 is not between"),
    ("a garbled token", pages.LIST_ENTRIES, listing(page_token="g" * 8), "page_token", "gave out"),
    ("1001 entries", pages.LIST_ENTRIES, listing(page_size=1001), "page_size", "1001 is not between"),
    ("a strange order", pages.LIST_ENTRIES, listing(order_by="severity"), "order_by", "timestamp desc"),
    ("a token of another filter", pages.LIST_ENTRIES, going_on(filter="a"), "page_token", "other parameters"),
    (
        "a token of another order", pages.LIST_ENTRIES, going_on(order_by="timestamp desc"),
        "page_token", "other parameters",
    ),
    (
        "a token of another project", pages.LIST_ENTRIES, going_on(resource_names=["projects/other"]),
        "page_token", "other parameters",
    ),
    ("20001 characters", pages.LIST_ENTRIES, asking("x" * 20_001), "filter", "20001 characters, 20000 are"),
    ("a comparison cut short", pages.QUERY_LANGUAGE, asking("severity>="), "filter", "at column"),
    ("an open parenthesis", pages.QUERY_LANGUAGE, asking("(severity=ERROR"), "filter", "at column 16"),
    ("an open quote", pages.QUERY_LANGUAGE, asking('textPayload="a'), "filter", "column 13"),
    ("a strange operator", pages.QUERY_LANGUAGE, asking("severity == ERROR"), "filter", "column 11"),
    ("a field that is none", pages.QUERY_LANGUAGE, asking("nonsense=1"), "filter", "at column 1: log"),
    ("a strange severity", pages.QUERY_LANGUAGE, asking("severity=LOUD"), "filter", "at column 10"),
    ("a time that is none", pages.QUERY_LANGUAGE, asking("timestamp>yesterday"), "filter", "at column 11"),
    ("a wrong expression", pages.QUERY_LANGUAGE, asking('textPayload=~"("'), "filter", "at column 14: '('"),
)  # fmt: skip
WRITTEN = refusals(
    *(
        (
            f"a log named '{name}'",
            pages.LOG_ENTRY,
            writing(LOG, name),
            "entries[1].log_name",
            "projects/PROJECT",
        )
        for name in BAD_NAMES
    )
)


@pytest.mark.usefixtures("standing")
@pytest.mark.parametrize("row", LISTED + WRITTEN)
def test_a_wrong_call_is_refused_and_nothing_is_written(cloud: Cloud, row: Refusal) -> None:
    row.check(cloud)


@pytest.mark.conformance(pages.WRITE_ENTRIES)
def test_a_dry_run_writes_nothing(cloud: Cloud) -> None:
    write(cloud, LogEntry(text_payload="dry"), log_name=f"{LOG}-dry", dry_run=True)
    assert not cloud.entries('log_id("conformance-dry")')


@pytest.mark.conformance(pages.WRITE_ENTRIES)
def test_what_an_entry_says_itself_beats_the_write_s_defaults(cloud: Cloud) -> None:
    own = LogEntry(log_name=f"{LOG}-own", resource={"type": "gce_instance"}, labels={"a": "own", "b": "own"})
    defaults = {"log_name": f"{LOG}-default", "labels": {"a": "default", "c": "default"}}
    write(cloud, own, LogEntry(), **defaults)
    (kept,) = cloud.entries('log_id("conformance-own")')
    (filled,) = cloud.entries('log_id("conformance-default")')
    assert (kept.resource.type, dict(kept.labels)) == (
        "gce_instance",
        {"a": "own", "b": "own", "c": "default"},
    )
    assert (filled.resource.type, dict(filled.labels)) == ("global", {"a": "default", "c": "default"})
    assert kept.insert_id != filled.insert_id
    assert filled.receive_timestamp >= filled.timestamp


@pytest.mark.conformance(pages.LOG_ENTRY)
def test_a_log_s_id_is_encoded_in_its_name_and_plain_in_log_id(cloud: Cloud) -> None:
    write(cloud, LogEntry(log_name="projects/conformance/logs/a%2Fb.c-d_e"))
    (entry,) = cloud.entries('log_id("a/b.c-d_e")')
    assert entry.log_name == "projects/conformance/logs/a%2Fb.c-d_e"
    assert cloud.entries('logName="projects/conformance/logs/a%2Fb.c-d_e"') == [entry]
    assert cloud.entries('logName:"a%2Fb"') == [entry]


@pytest.mark.conformance(pages.LIST_ENTRIES)
def test_entries_of_one_moment_are_listed_by_their_insert_ids(cloud: Cloud) -> None:
    shuffled = [stamped(each, insert_id=each) for each in "cab"]
    write(cloud, *shuffled, log_name=f"{LOG}-moment")
    listed = cloud.entries('log_id("conformance-moment")')
    assert [entry.insert_id for entry in listed] == ["a", "b", "c"]
    backwards = cloud.entries('log_id("conformance-moment")', order_by="timestamp desc")
    assert backwards == listed[::-1]


@pytest.mark.conformance(pages.LOG_ENTRY)
def test_one_insert_id_at_one_moment_is_one_entry(cloud: Cloud) -> None:
    twice = [stamped("again", second=1, insert_id="same"), stamped("again", second=2, insert_id="same")]
    for _ in range(2):
        write(cloud, *twice, log_name=f"{LOG}-twice")
    assert len(cloud.entries('log_id("conformance-twice")')) == 2


@pytest.mark.conformance(pages.LIST_ENTRIES)
def test_a_filter_on_a_project_that_is_not_asked_finds_nothing(cloud: Cloud) -> None:
    write(cloud, LogEntry(log_name="projects/elsewhere/logs/conformance"))
    elsewhere = 'logName="projects/elsewhere/logs/conformance"'
    assert not cloud.entries(elsewhere)
    assert cloud.entries(elsewhere, resource_names=["projects/elsewhere"])
    both = cloud.entries("", resource_names=[*NAMES, "projects/elsewhere"])
    assert {entry.log_name.split("/")[1] for entry in both} >= {"elsewhere", "conformance"}


@pytest.mark.conformance(pages.QUERY_LANGUAGE)
@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ("severity>=ERROR", ["boom", "crash"]),
        ("severity=WARNING", ["slow"]),
        ("severity<ERROR AND NOT severity=WARNING", ["hello"]),
        ('"boom"', ["boom"]),
        ("textPayload:SLO", ["slow"]),
        ('textPayload=~"^(boom|crash)$"', ["boom", "crash"]),
        ("labels.tenant=a", ["boom"]),
        ("(labels.tenant=a OR severity=WARNING) AND -textPayload:boom", ["slow"]),
    ],
)
def test_a_filter_chooses(cloud: Cloud, filter_: str, found: list[str]) -> None:
    known = [("hello", 200, {}), ("slow", 400, {}), ("boom", 500, {"tenant": "a"}), ("crash", 600, {})]
    entries = [
        stamped(text, second, insert_id=text, severity=severity, labels=labels)
        for second, (text, severity, labels) in enumerate(known)
    ]
    write(cloud, *entries, log_name=f"{LOG}-filters")
    chosen = cloud.entries(f'log_id("conformance-filters") AND ({filter_})')
    assert [entry.text_payload for entry in chosen] == found
