"""Read the parameters that a command was given."""

from __future__ import annotations

from collections.abc import Sequence

from runbook_lib.errors import PlanError


def parameters_of(given: Sequence[str]) -> dict[str, str]:
    """Return `NAME=VALUE` texts as a mapping; values stay text.

    Raises:
        PlanError: If one has no name or no `=`.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise PlanError(f"{text!r} is no parameter: write NAME=VALUE", field="--parameter")
        found[name] = value
    return found
