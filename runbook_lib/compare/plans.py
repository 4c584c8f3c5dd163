"""Compare two plans field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from runbook_lib.compare.difference import ABSENT, Difference

_MISSING = object()


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield every field that is not the same; what has an `id` is named by it: `criteria.health.at_most`."""
    for path, ours, theirs in _differing(before, after, ""):
        yield Difference(group="plan", what=path, before=_words(ours), after=_words(theirs))


def field_of(plan: Mapping[str, Any], *keys: str) -> Any:
    """Return a field of a plan, or None where it has none."""
    found: Any = plan
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _differing(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    ours, theirs = _named(before), _named(after)
    if ours is None or theirs is None:
        if before != after:
            yield path, before, after
        return
    inner = f"{path}." if path else ""
    for name in dict.fromkeys((*ours, *theirs)):
        yield from _differing(ours.get(name, _MISSING), theirs.get(name, _MISSING), f"{inner}{name}")
    common = [name for name in ours if name in theirs]
    if isinstance(before, list) and common != [name for name in theirs if name in ours]:
        yield f"{path} (order)", list(ours), list(theirs)


def _named(value: Any) -> Mapping[str, Any] | None:
    """Return a mapping, or a list of things with an id each as one; None for everything else."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list) and all(isinstance(each, Mapping) and "id" in each for each in value):
        named = {str(each["id"]): each for each in value}
        return named if len(named) == len(value) else None
    return None


def _words(value: Any) -> str:
    if value is _MISSING:
        return ABSENT
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
