"""Keep the beginning and the end of an output of any size, redacted, and cut it into lines as it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from runbook_lib.redact import plain, redact

HEAD_BYTES = 200_000
TAIL_BYTES = 800_000
_MARGIN_BYTES = 10_000
"""Kept beyond a cut and taken off after redaction, so that a secret which the cut divides is never shown."""
LINE_BYTES = 65_536


class KeptOutput:
    """The first and the last bytes of an output; memory is bounded whatever is fed."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._dropped_bytes = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        room = HEAD_BYTES + _MARGIN_BYTES - len(self._head)
        self._head += chunk[:room]
        if rest := chunk[max(room, 0) :]:
            self._tail.append(rest)
            self._tail_bytes += len(rest)
        while self._tail and self._tail_bytes - len(self._tail[0]) >= TAIL_BYTES + _MARGIN_BYTES:
            oldest = self._tail.popleft()
            self._tail_bytes -= len(oldest)
            self._dropped_bytes += len(oldest)

    def text(self, secrets: Sequence[str] = ()) -> str:
        """Return what was kept, redacted; where bytes were left out, a line in the middle says how many."""
        head, tail = bytes(self._head), b"".join(self._tail)
        if not self._dropped_bytes:
            return _shown(head + tail, secrets)
        first = _shown(head, secrets)[:-_MARGIN_BYTES]
        last = _shown(tail, secrets)[_MARGIN_BYTES:]
        return f"{first}\n… {self._dropped_bytes + 2 * _MARGIN_BYTES:,} bytes left out …\n{last}"


def _shown(raw: bytes, secrets: Sequence[str]) -> str:
    return redact(plain(raw.decode(errors="replace")), secrets)


class Lines:
    """Cuts chunks into lines and passes each on; of a line that never ends only the beginning is passed."""

    def __init__(self, hear: Callable[[str], None] | None) -> None:
        self._hear, self._begun = hear, bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self._hear is None:
            return
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            self._take(part)
            self.end()
        self._take(rest)

    def end(self) -> None:
        """Pass on what stands in the current line."""
        if self._hear and self._begun:
            self._hear(self._begun.decode(errors="replace").rstrip("\r"))
        self._begun.clear()

    def _take(self, part: bytes) -> None:
        self._begun += part[: LINE_BYTES - len(self._begun)]
