"""Remove what the log delivered more than once, and restore its order, while batches pass by."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

IDENTITY = ("log", "insert_id")
"""With the time, what the API itself calls the same entry."""
CONTENT = ("severity", "log", "message", "stack", "status", "latency_s", "user_agent", "trace", "instance")
"""With the time in nanoseconds, what makes a second delivery under another insert id the same entry."""


class Tidy:
    """Passes each entry of a stream once, in the order of time and insert id.

    Attributes:
        repeated: Entries left out so far.
    """

    def __init__(self) -> None:
        self.repeated = 0

    def pass_on(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches tidied; rows of a batch's last moment are held until the next batch is known.

        Args:
            batches: In the order of time, as the API delivers them.
        """
        held: pa.RecordBatch | None = None
        for batch in batches:
            rows = self._tidied(pa.concat_batches([held, batch]) if held else batch)
            keep = _before_the_last_moment(rows)
            held = rows.slice(keep)
            if keep:
                yield rows.slice(0, keep)
        if held:
            yield held

    def _tidied(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        if (np.diff(_moments(rows)) > 0).all():  # nearly always: then there is nothing to do
            return rows
        rows = rows.sort_by([("time", "ascending"), ("insert_id", "ascending")])
        again = _repetitions(rows)
        self.repeated += int(again.sum())
        return rows.filter(pa.array(~again)) if again.any() else rows


def _moments(rows: pa.RecordBatch) -> np.ndarray:
    return np.asarray(rows["time"].cast(pa.int64()))


def _before_the_last_moment(rows: pa.RecordBatch) -> int:
    moments = _moments(rows)
    return int(np.searchsorted(moments, moments[-1])) if len(moments) else 0


def _repetitions(rows: pa.RecordBatch) -> np.ndarray:
    """Return which rows repeat an earlier one; only rows of one moment are compared."""
    moments = _moments(rows)
    again = np.zeros(len(moments), dtype=bool)
    alike = moments[1:] == moments[:-1]
    places = np.flatnonzero(np.concatenate([[False], alike]) | np.concatenate([alike, [False]]))
    if len(places):
        close = rows.take(pa.array(places)).to_pandas()
        same = close.duplicated(["time", *IDENTITY]) | close.duplicated(["time", *CONTENT])
        again[places[same.to_numpy()]] = True
    return again
