"""Tail sessions of the real client see entries as they become readable, within the API's limits."""

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest
from emulator_cloud import PROJECT, Cloud, named_field
from google.api_core import exceptions
from google.cloud.logging_v2.types import LogEntry, TailLogEntriesRequest, TailLogEntriesResponse
from google.protobuf.duration_pb2 import Duration
from patience import eventually

PAGE = "https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/tail"
pytestmark = pytest.mark.conformance(PAGE)


class Tail:
    """One session, read by a thread of its own."""

    def __init__(self, cloud: Cloud, window_s: float | None = 0.0, **request: object) -> None:
        window = {} if window_s is None else {"buffer_window": {"nanos": int(window_s * 1e9)}}
        asked = TailLogEntriesRequest(resource_names=[f"projects/{PROJECT}"], **window, **request)
        transport = cloud.logs.transport
        # Otherwise the call itself waits for the first response.
        transport.tail_log_entries._prefetch_first_result_ = False
        self._stream = cloud.logs.tail_log_entries(requests=iter([asked]), retry=None, timeout=60)
        self.responses: list[TailLogEntriesResponse] = []
        self.error: exceptions.GoogleAPICallError | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for response in self._stream:
                self.responses.append(response)
        except exceptions.GoogleAPICallError as error:
            self.error = error

    def texts(self) -> list[str]:
        """Return what has come so far."""
        return [entry.text_payload for response in list(self.responses) for entry in response.entries]

    def refusal(self) -> exceptions.GoogleAPICallError:
        """Return how the session ended."""
        return eventually(lambda: self.error)

    def close(self) -> None:
        """Leave."""
        self._stream.cancel()
        self._thread.join(20)


@contextlib.contextmanager
def tailing(cloud: Cloud, log: str, **options: object) -> Iterator[Tail]:
    """Open a session on one log, and wait until it sees what is written."""
    tail = Tail(cloud, filter=f'log_id("{log}")', **options)
    try:
        eventually(lambda: write(cloud, log, "hello") or tail.texts())
        yield tail
    finally:
        tail.close()


def write(cloud: Cloud, log: str, *texts: str, severity: int = 0) -> None:
    """Write entries, each earlier than the one before."""
    now_s = time.time()
    entries = [
        LogEntry(
            log_name=f"projects/{PROJECT}/logs/{log}",
            resource={"type": "global"},
            text_payload=text,
            severity=severity,
            timestamp={"seconds": int(now_s) - number},
        )
        for number, text in enumerate(texts)
    ]
    cloud.logs.write_log_entries(entries=entries)


def test_entries_come_as_they_are_written_and_only_those_that_match(cloud: Cloud) -> None:
    with tailing(cloud, "tail-live") as tail:
        write(cloud, "tail-other", "not mine")
        write(cloud, "tail-live", "mine")
        assert eventually(tail.texts, lambda seen: "mine" in seen)
    assert "not mine" not in tail.texts()


def test_one_windows_entries_come_together_in_the_order_of_time(cloud: Cloud) -> None:
    with tailing(cloud, "tail-order", window_s=0.5) as tail:
        write(cloud, "tail-order", "c", "b", "a")
        eventually(tail.texts, lambda seen: {"a", "b", "c"} <= set(seen))
        (response,) = [r for r in tail.responses if any(e.text_payload == "a" for e in r.entries)]
    ordered = [entry.text_payload for entry in response.entries if entry.text_payload != "hello"]
    assert ordered == ["a", "b", "c"]


def test_without_a_buffer_window_entries_wait_two_seconds(cloud: Cloud) -> None:
    since = time.monotonic()
    with tailing(cloud, "tail-default", window_s=None):
        assert time.monotonic() - since >= 2


def test_a_session_that_goes_makes_room_for_another(cloud: Cloud) -> None:
    with contextlib.ExitStack() as open_sessions:
        for number in range(10):
            open_sessions.enter_context(tailing(cloud, f"tail-{number}"))
        with_one_too_many = Tail(cloud)
        refused = with_one_too_many.refusal()
        assert isinstance(refused, exceptions.ResourceExhausted)
        assert refused.message == f"projects/{PROJECT} has 10 tail sessions open, the limit: close one"

    def opened() -> bool:
        with contextlib.suppress(AssertionError), tailing(cloud, "tail-again"):
            return True
        return False

    assert eventually(opened)


@pytest.mark.refusal
@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"filter": "severity >="}, "filter"),
        ({"filter": "thud=1"}, "filter"),
        ({"resource_names": []}, "resource_names"),
        ({"resource_names": ["buckets/x"]}, "resource_names"),
        ({"buffer_window": Duration(seconds=61)}, "buffer_window"),
        ({"buffer_window": Duration(seconds=-1)}, "buffer_window"),
    ],
)
def test_a_wrong_tail_is_refused_with_its_field(
    cloud: Cloud, request_: dict[str, object], field: str
) -> None:
    fields = {"resource_names": [f"projects/{PROJECT}"], **request_}
    # The client waits for the first answer in the call itself or in the loop, as it was told before.
    with pytest.raises(exceptions.InvalidArgument) as refused:
        next(
            iter(
                cloud.logs.tail_log_entries(
                    requests=iter([TailLogEntriesRequest(fields)]), retry=None, timeout=20
                )
            )
        )
    assert named_field(refused.value) == field
