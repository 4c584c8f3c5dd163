"""Find the templates behind log messages: what stays of a message when ids, times and numbers are taken out.

Pure: the same messages give the same templates, in whichever order they come.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

_VARIABLE = "<*>"
_MAX_HEAD = 400
# Each is taken out as a whole; the first that fits at a place counts.
_PARTS = (
    r"\{\s*(?:[\"'].*)?\}|\[\s*[\[{\"'\d-].*\]",  # JSON, or a list as a language prints it
    r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>)\],]+",
    r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    r"\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)|`[^`]*`",
    r"(?<![\w.])(?:[A-Za-z]:)?[~.]{0,2}(?:[/\\][\w.@%+~=-]+){2,}[/\\]?(?::\d+)?",  # a path
    r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:\s?Z\b|[+-]\d\d:?\d\d)?",
    r"(?<![\w:])(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{0,4}(?![\w:])",  # an IPv6 address
    r"\b[0-9a-fA-F]{8,}\b",
    r"[-+]?(?:\b|(?<=\W))[\w.-]*\d(?:[\w.%-]|[:,/](?=\d))*",  # any word with a digit in it: an id, a number
)
_MASK = re.compile("|".join(_PARTS))
_TRACEBACK = "Traceback (most recent call last):"
_TOKEN = re.compile(r"<\*>|\w+(?:[-'.]\w+)*|[^\w\s]")
# So many different words at one place of messages that are otherwise equal are values, fewer may be meant.
_VALUES = 4
_FEWEST_TOKENS = 4


def head(message: str) -> str:
    """Return what tells a message from others: its first line, and of a traceback what was raised."""
    lines = [line for line in message.splitlines() if line.strip()]
    if _TRACEBACK not in message:
        return lines[0][:_MAX_HEAD] if lines else ""
    before = lines[: next(place for place, line in enumerate(lines) if _TRACEBACK in line)]
    raised = next((line for line in reversed(lines) if line[:1].strip()), "")
    return " ".join((*before[:1], raised))[:_MAX_HEAD]


def stack_of(message: str) -> str:
    """Return the lines of a message below its first: a stack trace, if it has one."""
    return message.partition("\n")[2].strip("\n")


def masked(message: str, names: Sequence[str] = ()) -> str:
    """Return the head of a message with its variable parts replaced by `<*>`.

    Args:
        names: Words that differ between the revisions by nature, such as their names.
    """
    text = head(message)
    for name in names:
        text = text.replace(name, _VARIABLE)
    return " ".join(_MASK.sub(_VARIABLE, text).split())


def templates(messages: Iterable[str], names: Sequence[str] = ()) -> dict[str, str]:
    """Return the template of each message; all messages that are to be compared are given together.

    Besides what looks variable, a word is variable where messages are equal but for one place, and have four
    or more different words there: so `user alice` and `user bob` become one, `opened` and `closed` do not.
    """
    by_message = {message: masked(message, names) for message in messages}
    merged = _merged(set(by_message.values()))
    return {message: merged[mask] for message, mask in by_message.items()}


def _merged(masks: set[str]) -> dict[str, str]:
    tokens = {mask: tuple(_TOKEN.findall(mask)) for mask in masks}
    while wider := _widened(set(tokens.values())):
        wide = set(wider.values())
        tokens = {mask: wider.get(words) or _covering(words, wide) for mask, words in tokens.items()}
    shown: dict[tuple[str, ...], str] = {}
    for mask, words in sorted(tokens.items()):
        shown.setdefault(words, mask if words == tuple(_TOKEN.findall(mask)) else _joined(words))
    return {mask: shown[words] for mask, words in tokens.items()}


def _widened(templates: set[tuple[str, ...]]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return those templates that are equal but for one word of many values, with it taken out."""
    alike: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    for words in templates:
        if len(words) >= _FEWEST_TOKENS:
            for place, word in enumerate(words):
                if word.isidentifier():
                    alike[(*words[:place], _VARIABLE, *words[place + 1 :])].add(words)
    widest = sorted(
        (wide for wide in alike if len(alike[wide]) >= _VALUES), key=lambda wide: len(alike[wide])
    )
    return {words: wide for wide in widest for words in alike[wide]}


def _covering(words: tuple[str, ...], wide: set[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the template among `wide` that these words are a case of, or else the words themselves."""
    cases = (
        other
        for other in sorted(wide)
        if len(other) == len(words)
        and all(theirs in (mine, _VARIABLE) for mine, theirs in zip(words, other, strict=True))
    )
    return next(cases, words)


def _joined(words: Sequence[str]) -> str:
    return re.sub(r" (?=[.,;:)\]=])|(?<=[(\[=]) ", "", " ".join(words))
