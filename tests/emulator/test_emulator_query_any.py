"""Any filter, however it is written: evaluator and index agree with a naive evaluator."""

import random
import re
from collections import Counter

from google.cloud.logging_v2.types import LogEntry
from google.protobuf import json_format
from naive_filter import FREE, SEVERITIES, TYPED, Leaf, Tree, holds

from runbook_lib.emulator.log_filter import compile_filter
from runbook_lib.emulator.log_scan import Listing, find_page
from runbook_lib.emulator.log_segment import LogKey
from runbook_lib.emulator.log_store import LogStore

FILTERS = 5_000
WORDS = [
    "lost",
    "Lost session",
    "GET",
    "found",
    "us",
    'say "hi"',
    "back\\slash",
    "it's",
    "ÄRGER",
    "AND",
    "a-b",
    "3",
]
REGEXES = ["lost", "^[Ll]", "s$", r"\w+ \w+", "[0-9]", "(GET|POST)", "-", "'"]
NUMBERS = ["-3", "0", "2", "2.5", "200", "503", "3"]
TIMES = ["2026-03-01T10:00:00Z", "2026-03-01T12:30:00+01:00", "2026-03-02T00:00:00Z"]
VALUES = {
    "severity": [*SEVERITIES, "error", "Info"],
    "number": NUMBERS,
    "duration": ["2.5s", "0s", "3"],
    "time": TIMES,
    "boolean": ["true", "false"],
    "text": WORDS,
    "json": [*WORDS, *NUMBERS, "true"],
}
COMPARED = ["=", "!=", "<", "<=", ">", ">=", ":"]
BARE = re.compile(r"(?!(AND|OR|NOT)$)[^\W\d][\w.]*|-?\d+(\.\d+)?s?")
BINDING = {"and": 0, "or": 1, "not": 2}


def entries(count: int) -> list[dict]:
    """Return entries as JSON in which each field is there or is not."""
    rng = random.Random(891)  # noqa: S311 (test data)

    def some(**fields: object) -> dict:
        return {name: value for name, value in fields.items() if rng.random() < 0.6}

    def word() -> str:
        return rng.choice([*WORDS, "POST", "another word"])

    return [
        some(
            severity=rng.choice(SEVERITIES[1:]), textPayload=word(), insertId=word(), trace=word(),
            traceSampled=True, timestamp=rng.choice(["2026-03-01T10:00:00Z", "2026-03-01T11:30:00Z"]),
            resource={"type": word(), "labels": some(service_name=word())}, labels=some(app=word()),
            httpRequest=some(status=rng.choice([200, 404, 503]), requestMethod=word(), latency="2.500s"),
        )
        | ({} if index % 3 == 0 else {"jsonPayload": some(
            message=word(), n=rng.choice([-3, 0, 2.5, 3, 200]), ok=rng.choice([True, False]),
            tags=[word(), word(), 3], user=some(id=word()),
        )})
        for index in range(count)
    ]  # fmt: skip


# An entry has one payload at most.
ENTRIES = [
    {key: value for key, value in entry.items() if not (key == "textPayload" and "jsonPayload" in entry)}
    | {"logName": f"projects/p/logs/number-{index:02d}"}
    for index, entry in enumerate(entries(25))
]
MESSAGES = [json_format.ParseDict(entry, LogEntry.pb()()) for entry in ENTRIES]


def a_leaf(rng: random.Random) -> Leaf:
    """Return a comparison that the documentation allows, or a bare word."""
    path = rng.choice(["", "", "", "", *TYPED, *FREE])
    if not path:
        return Leaf("", "", rng.choice(WORDS))
    kind = TYPED[path][0] if path in TYPED else FREE[path]
    if kind in ("text", "json") and rng.random() < 0.4:
        return Leaf(path, rng.choice(["=~", "!~"]), rng.choice(REGEXES))
    return Leaf(path, rng.choice(COMPARED), rng.choice(VALUES[kind]))


def a_tree(rng: random.Random, leaves: int = 8) -> Leaf | Tree:
    """Return a filter of so many leaves at most."""
    kind = rng.choice(["leaf", "not", "and", "or", "and", "or"])
    if kind == "leaf" or leaves < 2:
        return a_leaf(rng)
    count = 1 if kind == "not" else rng.randint(2, min(3, leaves))
    return Tree(kind, tuple(a_tree(rng, leaves // count) for _ in range(count)))


def written(node: Leaf | Tree, rng: random.Random, above: int = 0) -> str:
    """Return a filter's text in one of its many spellings."""
    if isinstance(node, Leaf):
        text = _written_leaf(node, rng)
        return f"({text})" if rng.random() < 0.1 else text
    binding = BINDING[node.kind]
    if node.kind == "not":
        (part,) = node.parts
        text = f"NOT {written(part, rng, binding)}"
        if isinstance(part, Leaf) or BINDING[part.kind] < binding:
            text = rng.choice([text, f"-{_enclosed(part, rng)}"])
    else:
        parts = [written(part, rng, binding + 1) for part in node.parts]
        joints = [" OR ", "\nOR  "] if node.kind == "or" else [" AND ", "  ", "\n", " -- a remark\n AND\t"]
        text = parts[0] + "".join(rng.choice(joints) + part for part in parts[1:])
    return f"({text})" if binding < above or rng.random() < 0.1 else text


def _enclosed(node: Leaf | Tree, rng: random.Random) -> str:
    return _written_leaf(node, rng) if isinstance(node, Leaf) else f"({written(node, rng)})"


def _written_leaf(leaf: Leaf, rng: random.Random) -> str:
    value = leaf.value
    needs_quotes = leaf.op in ("=~", "!~") or not BARE.fullmatch(value)
    if needs_quotes or not leaf.path or rng.random() < 0.4:
        value = _quoted(value, rng)
    space = rng.choice(["", "", " "])
    return f"{leaf.path}{space}{leaf.op}{space}{value}" if leaf.path else value


def _quoted(text: str, rng: random.Random) -> str:
    mark = rng.choice("\"'")
    escaped = text.replace("\\", "\\\\").replace(mark, f"\\{mark}")
    return f"{mark}{escaped}{mark}"


def a_log() -> LogStore:
    """Return all entries in a log that got them late and out of order, into segments that had to be split."""
    store = LogStore(segment_size=3)
    for message in random.Random(3).sample(MESSAGES, len(MESSAGES)):  # noqa: S311 (test data)
        store.add(message)
    return store


async def listed(store: LogStore, text: str, style: int) -> list[str]:
    """Return the names of the logs whose entries are listed, page by page."""
    newest_first, page_size = bool(style % 2), 1 + style % 7
    listing = Listing(prefixes=("projects/p/",), filter=text, newest_first=newest_first, page_size=page_size)
    found: list[str] = []
    place: LogKey | None = None
    while True:
        page = await find_page(store, listing, place)
        assert len(page.entries) <= page_size
        found += [entry.key.log_name for entry in page.entries]
        if page.place is None:
            return found[::-1] if newest_first else found
        place = page.place


async def wrong_about(text: str, expected: list[bool], style: int, store: LogStore) -> str:
    """Return what is wrong about a filter, and "" if nothing is."""
    matches = compile_filter(text)
    for entry, message, wanted in zip(ENTRIES, MESSAGES, expected, strict=True):
        if matches(message) is not wanted:
            return f"{text!r} on {entry}"
    matching = {entry["logName"] for entry, wanted in zip(ENTRIES, expected, strict=True) if wanted}
    names = [entry.key.log_name for entry in store if entry.key.log_name in matching]
    return "" if await listed(store, text, style) == names else f"{text!r} by the index"


async def test_every_generated_filter_is_evaluated_as_the_naive_evaluator_does() -> None:
    """Of all that are wrong the shortest is told."""
    rng, store = random.Random(17), a_log()  # noqa: S311 (test data)
    texts: set[str] = set()
    seen: Counter[bool] = Counter()
    wrong: list[str] = []
    for style in range(FILTERS):
        tree = a_tree(rng)
        text, expected = written(tree, rng), [holds(tree, entry) for entry in ENTRIES]
        texts.add(text)
        seen.update(expected)
        wrong.append(await wrong_about(text, expected, style, store))
    assert min(filter(None, wrong), key=len, default="") == ""
    # A test that saw one kind of answer only, or few filters, would have proved little.
    assert len(texts) >= FILTERS * 0.9
    assert min(seen[True], seen[False]) > 0.2 * seen.total()
