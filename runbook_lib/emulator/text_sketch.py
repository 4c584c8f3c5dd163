"""Remembers roughly what many texts contain, so that a search can skip those that cannot match."""

_PLACES = 1 << 16
_KNOWN_STRINGS = 512


class TextSketch:
    """The trigrams (three characters in a row) of many strings, hashed; it never says no wrongly."""

    def __init__(self) -> None:
        self._seen = bytearray(_PLACES)
        self._known: set[str] = set()

    def add(self, string: str) -> None:
        """Remember a string's trigrams."""
        # Log entries repeat most of their strings: labels, names, messages.
        if string in self._known:
            return
        if len(self._known) == _KNOWN_STRINGS:
            self._known.clear()
        self._known.add(string)
        for trigram in _trigrams(string):
            self._seen[hash(trigram) % _PLACES] = 1

    def may_contain(self, wanted: str) -> bool:
        """Say whether a string may contain this one; below three characters, always."""
        return all(self._seen[hash(trigram) % _PLACES] for trigram in _trigrams(wanted))

    def copy(self) -> "TextSketch":
        """Return another one that remembers the same."""
        twin = TextSketch()
        twin._seen[:] = self._seen
        return twin


def _trigrams(text: str) -> set[str]:
    return {text[start : start + 3] for start in range(len(text) - 2)}
