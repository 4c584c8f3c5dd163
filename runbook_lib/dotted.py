"""Look up dotted paths, such as `data.response`, in decoded JSON."""

from __future__ import annotations


def at_path(document: object, path: str) -> object:
    """Return what stands at `path` in nested objects, or None where a part of it is missing."""
    for part in path.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    return document
