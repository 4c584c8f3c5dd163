"""Fill the plan's templates for the wire."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def filled(template: Any, **values: str) -> Any:
    """Return `template` with each `{name}` in its texts replaced by its value; unknown names stay.

    Objects and lists are filled through, and what is filled in is not searched again.
    """
    if isinstance(template, str):
        return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)
    if isinstance(template, dict):
        return {key: filled(value, **values) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [filled(value, **values) for value in template]
    return template


def prepared(template: str) -> Callable[[Mapping[str, str]], str]:
    """Return what fills a text as `filled` does, made ready for many times."""
    parts = _PLACEHOLDER.split(template)
    if len(parts) == 1:
        return lambda _: template
    if len(parts) == 3:
        before, only, behind = parts
        return lambda values: before + values.get(only, f"{{{only}}}") + behind
    named = [(name, f"{{{name}}}", after) for name, after in zip(parts[1::2], parts[2::2], strict=True)]
    return lambda values: parts[0] + "".join(values.get(name, same) + after for name, same, after in named)
