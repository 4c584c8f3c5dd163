"""Any filter, however it is written: evaluator and index agree with a naive evaluator."""

import asyncio
import random
import re
from collections import Counter
from functools import cache

from google.cloud.logging_v2.types import LogEntry
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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


@cache
def _leaf(path: str) -> st.SearchStrategy[Leaf]:
    kind = TYPED[path][0] if path in TYPED else FREE[path]
    values = {
        "severity": [*SEVERITIES, "error", "Info"],
        "number": NUMBERS,
        "duration": ["2.5s", "0s", "3"],
        "time": TIMES,
        "boolean": ["true", "false"],
        "text": WORDS,
        "json": [*WORDS, *NUMBERS, "true"],
    }[kind]
    compared = st.builds(Leaf, st.just(path), st.sampled_from(COMPARED), st.sampled_from(values))
    if kind not in ("text", "json"):
        return compared
    return compared | st.builds(Leaf, st.just(path), st.sampled_from(["=~", "!~"]), st.sampled_from(REGEXES))


LEAVES = st.sampled_from([*TYPED, *FREE]).flatmap(_leaf) | st.builds(
    Leaf, st.just(""), st.just(""), st.sampled_from(WORDS)
)


def _joined(parts: st.SearchStrategy) -> st.SearchStrategy[Tree]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    either = st.builds(Tree, st.sampled_from(["and", "or"]), several)
    return either | st.builds(Tree, st.just("not"), st.tuples(parts))


TREES = st.recursive(LEAVES, _joined, max_leaves=8)


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


def test_every_generated_filter_is_evaluated_as_the_naive_evaluator_does() -> None:
    seen: Counter[bool] = Counter()
    filters: set[str] = set()
    store, runner = a_log(), asyncio.Runner()
    in_order = [entry.key.log_name for entry in store]

    @settings(
        max_examples=FILTERS, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(tree=TREES, style=st.integers(0, 2**32))
    def agrees(tree: Leaf | Tree, style: int) -> None:
        text = written(tree, random.Random(style))  # noqa: S311 (a spelling)
        filters.add(text)
        matches = compile_filter(text)
        matching = set()
        for entry, message in zip(ENTRIES, MESSAGES, strict=True):
            expected = holds(tree, entry)
            seen[expected] += 1
            assert matches(message) is expected, f"{text!r} on {entry}"
            if expected:
                matching.add(entry["logName"])
        names = [name for name in in_order if name in matching]
        assert runner.run(listed(store, text, style)) == names, f"{text!r} by the index"

    with runner:
        agrees()
    # A test that saw one kind of answer only, or few filters, would have proved little.
    assert len(filters) >= FILTERS * 0.9
    assert min(seen[True], seen[False]) > 0.2 * seen.total()
