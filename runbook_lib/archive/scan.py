"""Look for secrets in a whole run folder: known ones in every spelling, and whatever is shaped like one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from runbook_lib.errors import SecretFound
from runbook_lib.redact import redact, spellings

_LONGEST_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A secret in a file. `where` says what gave it away; the secret itself is never kept."""

    file: str
    where: str


def scan(folder: Path, secrets: Iterable[str]) -> tuple[Leak, ...]:
    """Return every file of a run, and its name, in which a secret can be read."""
    known = [spelling for secret in secrets for spelling in spellings(secret)]
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple(leak for path in files for leak in _leaks(path, str(path.relative_to(folder)), known))


def demand_clean(folder: Path, secrets: Iterable[str]) -> None:
    """Refuse a run folder that holds a secret.

    Raises:
        SecretFound: Names the files; nothing has left this machine.
    """
    leaks = scan(folder, secrets)
    if leaks:
        named = "; ".join(f"{leak.file}: {leak.where}" for leak in leaks[:_LONGEST_SHOWN])
        more = f"; and {len(leaks) - _LONGEST_SHOWN} more" if len(leaks) > _LONGEST_SHOWN else ""
        raise SecretFound(
            f"{folder.name} was not published, it holds a secret ({named}{more}): "
            "revoke the secret, then remove the run or mask the file and run `runbook report`"
        )


def _leaks(path: Path, name: str, known: list[str]) -> Iterator[Leak]:
    if kind := _secret_in(name, known):
        yield Leak(file="the name of a file", where=kind)
        return
    try:
        kind = next(filter(None, (_secret_in(text, known) for text in _texts(path))), "")
    except (ValueError, OSError):  # pyarrow's and json's errors are ValueErrors
        kind = f"it is no whole {path.suffix[1:]} file, so nobody knows"
    if kind:
        yield Leak(file=name, where=kind)


def _secret_in(text: str, known: list[str]) -> str:
    if any(spelling in text for spelling in known):
        return "a secret of the environment"
    return "" if redact(text) == text else "something shaped like a secret"  # what is masked stays as it is


def _texts(path: Path) -> Iterator[str]:
    """Yield what can be read in a file: its bytes, and what Parquet and JSON keep in codes of their own."""
    raw = path.read_bytes()
    if path.suffix == ".parquet":
        yield from _cells(raw)
        return
    text = raw.decode(errors="replace")
    yield text
    if path.suffix in (".json", ".ipynb"):
        yield "\n".join(_strings(json.loads(text)))


def _cells(raw: bytes) -> Iterator[str]:
    table = pd.read_parquet(BytesIO(raw))
    for name in table.columns:
        if table[name].dtype == object or pd.api.types.is_string_dtype(table[name]):
            yield "\n".join({str(cell) for cell in table[name].dropna()})


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
