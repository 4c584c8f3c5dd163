"""Keep the sessions of a load, which are too many to be held."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from runbook_lib.evidence import Session


class KeptSessions(Protocol):
    """Where a step leaves its sessions; they have rows, from 0, in the order in which they were added."""

    def add(self, sessions: Sequence[Session], after_s: float = 0.0) -> None:
        """Append sessions; `after_s` is added to their `intended_s`, whose time began when their wave did.

        Raises:
            CannotRecord: If they cannot be kept.
        """
        ...

    def at(self, rows: Collection[int]) -> dict[int, Session]:
        """Return the sessions of some rows, by row, with secrets masked; nothing can be added after it."""
        ...
