"""Remembers roughly what many texts contain, so that a search can skip those that cannot match."""

from functools import lru_cache

_PLACES = 1 << 16
_KNOWN_STRINGS = 512
# Longer strings would take milliseconds, and fill the sketch anyway.
_LONG = 8192


class TextSketch:
    """The trigrams (three characters in a row) of many strings, hashed; it never says no wrongly."""

    def __init__(self) -> None:
        self._seen = bytearray(_PLACES)
        self._known: set[str] = set()
        self._holds_long = False

    def add(self, string: str) -> None:
        """Remember a string's trigrams."""
        # Log entries repeat most of their strings: labels, names, messages.
        if string in self._known:
            return
        if len(string) > _LONG:
            self._holds_long = True
            return
        if len(self._known) == _KNOWN_STRINGS:
            self._known.clear()
        self._known.add(string)
        for start in range(len(string) - 2):
            self._seen[hash(string[start : start + 3]) % _PLACES] = 1

    def may_contain(self, wanted: str) -> bool:
        """Say whether a string may contain this one; below three characters, always."""
        return self._holds_long or all(map(self._seen.__getitem__, _places(wanted)))

    def copy(self) -> "TextSketch":
        """Return another one that remembers the same."""
        twin = TextSketch()
        twin._seen[:], twin._holds_long = self._seen, self._holds_long
        return twin


# A search asks every segment for the same text.
@lru_cache(maxsize=64)
def _places(text: str) -> tuple[int, ...]:
    return tuple({hash(text[start : start + 3]) % _PLACES for start in range(len(text) - 2)})
