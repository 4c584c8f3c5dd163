"""Read what the container contract hands over; touches nothing but the mapping it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class ConfigError(ValueError):
    """An environment variable cannot be used as it stands."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where to listen, who to be, and how fast to answer."""

    bind: str
    port: int
    revision: str
    answer_s: float  # planned duration of a whole answer, before jitter


def settings_from(environ: Mapping[str, str]) -> Settings:
    """Return the settings; port 0 lets the system choose, and the `listening` log line names it."""
    return Settings(
        bind=environ.get("RUNBOOK_BIND", "127.0.0.1"),
        port=int(number_from(environ, "PORT", 8080)),
        revision=environ.get("K_REVISION", "local"),
        answer_s=number_from(environ, "ANSWER_S", 0.2),
    )


def number_from(environ: Mapping[str, str], name: str, default: float) -> float:
    """Return a number that is not negative.

    Raises:
        ConfigError: If the variable holds anything else.
    """
    text = environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ConfigError(f"environment variable {name} is {text!r}: give a number, 0 or more")
    return value
