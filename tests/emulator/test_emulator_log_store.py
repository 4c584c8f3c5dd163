"""The log store keeps entries in order and its memory bounded."""

from google.cloud.logging_v2.types import LogEntry

from runbook_lib.emulator.log_scan import MAX_EXAMINED, Listing, Page, find_page
from runbook_lib.emulator.log_segment import LogKey
from runbook_lib.emulator.log_store import LogStore


def entry(time_s: int, insert_id: str = "a", log_name: str = "projects/p/logs/x", **fields: object) -> object:
    """Return a bare entry."""
    message = LogEntry.pb()(insert_id=insert_id, log_name=log_name, **fields)
    message.timestamp.FromSeconds(time_s)
    return message


def times_s(store: LogStore) -> list[int]:
    """Return the times of all entries, oldest first."""
    return [found.key.time_ns // 10**9 for found in store]


def test_the_oldest_are_dropped_and_counted_beyond_the_limit() -> None:
    store = LogStore(limit=5)
    for second in range(100):
        store.add(entry(second))
        assert len(store) < 10
    assert store.dropped + len(store) == 100
    assert times_s(store) == list(range(store.dropped, 100))


def test_a_late_entry_takes_its_place_in_time() -> None:
    store = LogStore()
    for second in (5, 1, 3, 2, 4):
        store.add(entry(second))
    assert times_s(store) == [1, 2, 3, 4, 5]


def test_one_moment_is_ordered_by_insert_id_and_duplicates_are_left_out() -> None:
    store = LogStore()
    for insert_id in ("b", "a", "b", "a"):
        store.add(entry(1, insert_id))
    store.add(entry(1, "a", "projects/p/logs/y"))
    found = [(f.key.insert_id, f.key.log_name[-1]) for f in store]
    assert found == [("a", "x"), ("a", "y"), ("b", "x")]


async def page(store: LogStore, filter_: str, place: LogKey | None = None) -> Page:
    """Find a page of ten entries."""
    listing = Listing(prefixes=("projects/p/",), filter=filter_, newest_first=False, page_size=10)
    return await find_page(store, listing, place)


async def test_what_was_dropped_is_found_no_more_and_the_rest_still_is() -> None:
    store = LogStore(limit=20, segment_size=4)
    for second in range(100):
        store.add(
            entry(second, text_payload=f"second {second:03d}", severity=500 if second % 10 == 0 else 200)
        )

    assert (await page(store, '"second 010"')).entries == []
    severe = (await page(store, "severity=ERROR")).entries
    assert [found.key.time_ns // 10**9 for found in severe] == [80, 90]
    assert len((await page(store, '"second 090"')).entries) == 1


async def test_a_long_string_is_searched_too() -> None:
    store = LogStore()
    store.add(entry(1, text_payload="x" * 100_000 + "needle" + "y" * 100_000))
    store.add(entry(2, text_payload="short"))
    assert len((await page(store, "NEEDLE")).entries) == 1
    assert len((await page(store, "haystack")).entries) == 0


async def test_a_page_that_looked_at_enough_is_empty_and_says_where_to_go_on() -> None:
    store = LogStore()
    for second in range(MAX_EXAMINED + 1):
        store.add(entry(second, text_payload=f"line {second}"))
    pattern = f'textPayload=~"^line {MAX_EXAMINED}$"'

    first = await page(store, pattern)
    assert first.entries == []
    assert first.place is not None
    second_page = await page(store, pattern, first.place)
    assert [found.message.text_payload for found in second_page.entries] == [f"line {MAX_EXAMINED}"]
    assert second_page.place is None
