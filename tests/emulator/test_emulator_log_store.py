"""The log store keeps entries in order and its memory bounded."""

from google.cloud.logging_v2.types import LogEntry

from runbook_lib.emulator.log_store import LogStore


def entry(time_s: int, insert_id: str = "a", log_name: str = "projects/p/logs/x") -> object:
    """Return a bare entry."""
    message = LogEntry.pb()(insert_id=insert_id, log_name=log_name)
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
