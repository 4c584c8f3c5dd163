"""Grow the evidence of a short run to that of a very long one, in the shape of what was seen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SESSIONS, ENTRIES, POINTS, TESTS = 1_000_000, 200_000, 40_000, 5_000
LOOKS, TEMPLATES, LEAKS, OUTPUT_BYTES = 256, 200, 5_000, 1_000_000
SEED = 891


def grow(folder: Path) -> None:
    """Grow all evidence of a run: what has a bound to its bound, the rest to what a very long run leaves."""
    evidence, rng = folder / "evidence", np.random.default_rng(SEED)
    _grow_sessions(evidence / "load_sessions.parquet", rng)
    _grow_entries(evidence / "run_logs.parquet")
    _grow_series(evidence / "series.parquet", rng)
    _change(evidence / "pairs.json", lambda pairs: _grow_pairs(pairs, rng))
    _change(evidence / "run_logs.json", _grow_templates)
    _change(evidence / "suites.json", _grow_suites)
    _change(evidence / "metrics.json", _grow_leaks)


def _grow_sessions(path: Path, rng: np.random.Generator) -> None:
    """Draw sessions from those that were seen, each a little slower or faster than its model."""
    table = pq.read_table(path)
    grown = table.take(pa.array(rng.integers(0, table.num_rows, SESSIONS)))
    factor = pa.array(np.exp(rng.normal(0, 0.3, SESSIONS)))
    for name in ("connect_s", "answer_s"):
        place = grown.schema.get_field_index(name)
        grown = grown.set_column(place, name, pc.multiply(grown[name], factor))
    pq.write_table(grown, path)


def _grow_entries(path: Path) -> None:
    """Repeat the log over and over, every copy at its own time and with words of its own."""
    frame = pq.read_table(path).to_pandas()
    frame = frame.loc[np.resize(frame.index.to_numpy(), ENTRIES)].reset_index(drop=True)
    copies = np.arange(ENTRIES)
    first, span_s = frame["time"].min(), (frame["time"].max() - frame["time"].min()).total_seconds()
    frame["time"] = first + np.array(copies / ENTRIES * span_s * 1e9, dtype="timedelta64[ns]")
    frame["message"] = frame["message"] + [f" (copy {number})" for number in copies]
    frame["insert_id"] = [f"copy-{number}" for number in copies]
    frame.to_parquet(path, index=False)


def _grow_series(path: Path, rng: np.random.Generator) -> None:
    """Make the memory as long as two weeks by the minute, with one peak that a chart must not lose."""
    frame = pd.read_parquet(path)
    is_memory = frame["metric"].str.contains("memory")
    memory, others = frame[is_memory], frame[~is_memory]
    grown = memory.loc[np.resize(memory.index.to_numpy(), POINTS)].reset_index(drop=True)
    grown["time"] = memory["time"].min() + pd.to_timedelta(np.arange(POINTS) // 2, unit="min")
    grown["value"] *= rng.normal(1, 0.05, POINTS)
    grown.loc[POINTS // 3, "value"] = memory["value"].max() * 4
    pd.concat([others, grown]).to_parquet(path, index=False)


def _grow_pairs(pairs: dict[str, Any], rng: np.random.Generator) -> None:
    """Give every comparison as many looks as it can have, each drawn from all pairs that were seen."""
    each = SESSIONS // 2 // LOOKS
    for counts in pairs["counts"].values():
        seen: Counter[int] = Counter()
        for look in counts["looks"]:
            seen.update({int(step): count for step, count in look["steps"].items()})
        steps = sorted(seen)
        shares = np.array([seen[step] for step in steps]) / seen.total()
        first = counts["looks"][0]
        counts["looks"] = [
            {**first, "number": number, "lost": 0, "steps": _some_of(steps, rng.multinomial(each, shares))}
            for number in range(LOOKS)
        ]


def _some_of(steps: list[int], counts: np.ndarray) -> dict[str, int]:
    return {str(step): int(count) for step, count in zip(steps, counts, strict=True) if count}


def _grow_templates(logs: dict[str, Any]) -> None:
    """Make as many kinds of message new as the evidence may hold, each with a long example and stack."""
    kind = logs["templates"][0]
    logs["templates"] += [
        {**kind, "change": "new", "severity": "ERROR", "template": f"no context {number} for <*>",
         "example": f"no context {number} for " + "a user with a long name " * 80,
         "stack": f'  File "agent.py", line {number}, in run\n' * 50}
        for number in range(TEMPLATES - len(logs["templates"]))
    ]  # fmt: skip


def _grow_suites(suites: dict[str, Any]) -> None:
    """Give the first suite thousands of tests and a long output."""
    suite = suites["suites"][0]
    test = suite["tests"][0]
    suite["tests"] = [{**test, "name": f"{test['name']}[{number}]"} for number in range(TESTS)]
    suite["output"] = (suite["output"] + "\n") * (OUTPUT_BYTES // (len(suite["output"]) + 1))


def _grow_leaks(metrics: dict[str, Any]) -> None:
    """Repeat what came in another user's stream, of which there may be one for each session."""
    metrics["leaks"] = [metrics["leaks"][number % len(metrics["leaks"])] for number in range(LEAKS)]


def _change(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")
