"""Wall-clock time as the APIs write it; the only place that reads the clock."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

NowNs = Callable[[], int]
"""Returns the time in nanoseconds since 1970-01-01 UTC."""

NS_PER_S = 1_000_000_000

_FRACTION = re.compile(r"(?<=:\d\d)[.,](\d{1,9})")


def system_now_ns() -> int:
    """Return the machine's time."""
    return time.time_ns()


def timestamp(time_ns: int) -> Timestamp:
    """Return the protobuf form of a time."""
    return Timestamp(seconds=time_ns // NS_PER_S, nanos=time_ns % NS_PER_S)


def timestamp_ns(message: Timestamp) -> int:
    """Return a protobuf time in nanoseconds."""
    return int(message.seconds * NS_PER_S + message.nanos)


def parse_rfc3339_ns(text: str) -> int:
    """Read an RFC 3339 time or a date in nanoseconds; without a zone it is UTC.

    Raises:
        ValueError: If the text is neither.
    """
    fraction = _FRACTION.search(text)
    moment = datetime.fromisoformat(_FRACTION.sub("", text))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * NS_PER_S + (int(fraction[1].ljust(9, "0")) if fraction else 0)


def format_rfc3339(time_ns: int) -> str:
    """Write a time with microseconds and `Z`."""
    moment = datetime.fromtimestamp(time_ns / NS_PER_S, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
