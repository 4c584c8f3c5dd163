"""Keep a growing table of sessions on the disk: it is there whole when its writer is done, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from runbook_lib.disk import UNFINISHED, new_beside, put_in_place, writing
from runbook_lib.evidence import Session
from runbook_lib.evidence.session_table import session_table
from runbook_lib.redact_table import redact_table

_SESSION = TypeAdapter(Session)
_TEXT = pa.large_string()
_TEXTS = pa.list_(pa.string())
_EVENT = pa.struct({"type": pa.string(), "at_s": pa.float64(), "sequence": pa.int64()})
SCHEMA = pa.schema(
    {
        "probe": _TEXT, "role": _TEXT, "number": pa.int64(), "user": _TEXT, "agent": _TEXT, "mark": _TEXT,
        "status": _TEXT, "intended_s": pa.float64(), "lag_s": pa.float64(), "connect_s": pa.float64(),
        "answer_s": pa.float64(), "session_id": _TEXT, "user_id": _TEXT, "revision": _TEXT,
        "foreign_marks": _TEXTS, "foreign_ids": _TEXTS, "violations": _TEXTS, "events": pa.list_(_EVENT),
        "detail": _TEXT,
    }
)  # fmt: skip
"""One row per session; columns are the fields of `evidence.Session`, whether any session has them or not."""


class SessionFile:
    """Implements `ports.kept.KeptSessions`: a row group for each `add`.

    Args:
        path: The file; it is there when the block has ended well, and what was there before stays otherwise.
        secrets: Known ones; they, and all that is shaped like one, are masked before anything is written.
    """

    def __init__(self, path: Path, secrets: Sequence[str] = ()) -> None:
        self._path, self._secrets = path, secrets

    def __enter__(self) -> Self:
        with writing(self._path):
            for left in self._path.parent.glob(f".{self._path.name}.*{UNFINISHED}"):
                left.unlink()  # of a step that was killed; no two write the same table
            self._temporary = new_beside(self._path)
            self._file = self._temporary.open("wb")
        self._writer = pq.ParquetWriter(self._file, SCHEMA)
        return self

    def __exit__(self, trouble: type[BaseException] | None, *_: object) -> None:
        try:
            if trouble is None:
                self._end()
                with writing(self._path):
                    put_in_place(self._file, self._temporary, self._path)
        finally:
            self._clear_away()

    def add(self, sessions: Sequence[Session], after_s: float = 0.0) -> None:
        """Append sessions; `after_s` is added to their `intended_s`.

        Raises:
            CannotRecord: If the disk does not take them.
        """
        if sessions:
            table = redact_table(session_table(sessions), self._secrets)
            table["intended_s"] += after_s
            rows = pa.Table.from_pandas(table, SCHEMA, preserve_index=False)
            with writing(self._path):
                self._writer.write_table(rows)

    def at(self, rows: Collection[int]) -> dict[int, Session]:
        """Return the sessions of some rows, from 0, with secrets masked; nothing can be added after it."""
        self._end()
        found, first = dict[int, Session](), 0
        with pq.ParquetFile(self._temporary) as table:
            for group in range(table.num_row_groups):
                last = first + table.metadata.row_group(group).num_rows
                if mine := sorted(row for row in rows if first <= row < last):
                    there = table.read_row_group(group).take([row - first for row in mine]).to_pylist()
                    found |= zip(mine, map(_SESSION.validate_python, there), strict=True)
                first = last
        return found

    def _end(self) -> None:
        """Write what makes a Parquet file of it, once."""
        with writing(self._path):
            self._writer.close()
            self._file.flush()

    def _clear_away(self) -> None:
        """Close everything; what the disk says to a file that is removed anyway helps nobody."""
        for act in (self._writer.close, self._file.close):
            with suppress(OSError):
                act()
        self._temporary.unlink(missing_ok=True)
