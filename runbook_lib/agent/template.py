"""Fill the plan's templates for the wire."""

from __future__ import annotations

import re
from typing import Any


def filled(template: Any, **values: str) -> Any:
    """Return `template` with each `{name}` in its texts replaced by its value; unknown names stay.

    Objects and lists are filled through, and what is filled in is not searched again.
    """
    if isinstance(template, str):
        return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), template)
    if isinstance(template, dict):
        return {key: filled(value, **values) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [filled(value, **values) for value in template]
    return template
