"""Any filter: the evaluator agrees with a naive one, whatever the filter and however it is written."""

import random
import re
from collections import Counter

from google.cloud.logging_v2.types import LogEntry
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naive_filter import FREE, SEVERITIES, TYPED, Leaf, Tree, holds

from runbook_lib.emulator.log_filter import compile_filter

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
    for entry in entries(25)
]
MESSAGES = [json_format.ParseDict(entry, LogEntry.pb()()) for entry in ENTRIES]


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


def test_every_generated_filter_is_evaluated_as_the_naive_evaluator_does() -> None:
    seen: Counter[bool] = Counter()
    filters: set[str] = set()

    @settings(
        max_examples=FILTERS, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(tree=TREES, style=st.integers(0, 2**32))
    def agrees(tree: Leaf | Tree, style: int) -> None:
        text = written(tree, random.Random(style))  # noqa: S311 (a spelling)
        filters.add(text)
        matches = compile_filter(text)
        for entry, message in zip(ENTRIES, MESSAGES, strict=True):
            expected = holds(tree, entry)
            seen[expected] += 1
            assert matches(message) is expected, f"{text!r} on {entry}"

    agrees()
    # A test that saw one kind of answer only, or few filters, would have proved little.
    assert len(filters) >= FILTERS * 0.9
    assert min(seen[True], seen[False]) > 0.2 * seen.total()
