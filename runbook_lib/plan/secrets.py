"""Find secrets in a plan: they are given by reference only, since a plan is archived as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from runbook_lib.errors import PlanError
from runbook_lib.redact import redact, secrets_of

ADVICE = (
    "holds a secret: export it as an environment variable instead, which every suite and command inherits"
)
_NO_CHANCE = 12
_REFERENCES = ("{", "$", "/", "://")
"""What shows that a variable with a secret's name says where the secret is, and does not hold it."""


def secrets_in(data: Any, keys: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the keys that lead to each text that is shaped like a secret, or is called one in an `env`."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from secrets_in(value, (*keys, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from secrets_in(value, (*keys, index))
    elif isinstance(data, str) and (redact(data) != data or _named_so(keys, data)):
        yield keys


def refuse_known_secrets(plan: str, secrets: Iterable[str]) -> None:
    """Refuse a plan (as text) that spells out a secret of the environment; a short word may be chance.

    Raises:
        PlanError: If it does.
    """
    if any(len(secret) >= _NO_CHANCE and secret in plan for secret in secrets):
        problem = "holds the value of a secret environment variable: take it out of the plan"
        raise PlanError(problem, field="plan")


def _named_so(keys: tuple[str | int, ...], value: str) -> bool:
    refers = value.isdigit() or any(mark in value for mark in _REFERENCES)
    return keys[-2:-1] == ("env",) and not refers and bool(secrets_of({str(keys[-1]): value}))
