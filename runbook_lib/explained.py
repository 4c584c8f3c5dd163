"""Put an error into what a person asks: what happened, where, what to do next."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from runbook_lib.errors import CloudError, PlanError, RunbookError
from runbook_lib.redact import redact

_OURS = "Do what it says, then run this cell again; nothing that was seen before is lost."
_NOT_OURS = "Open the traceback: this is a fault in the cell, or in the runbook itself."


@dataclass(frozen=True, kw_only=True)
class Explained:
    """An error in words; `where` may be empty."""

    what: str
    where: str
    next: str


def explain(error: BaseException) -> Explained:
    """Return an error in words, redacted."""
    return Explained(**{name: redact(words) for name, words in vars(_explain(error)).items()})


def _explain(error: BaseException) -> Explained:
    name = type(error).__name__
    if isinstance(error, CloudError):
        what = f"{name}: {error.call} answered {error.status}"
        return Explained(what=what, where=error.resource, next=_sentence(error.hint))
    if isinstance(error, PlanError):
        place = ":".join(str(part) for part in (error.file, error.line) if part is not None)
        allowed = f" Allowed: {', '.join(error.allowed)}." if error.allowed else ""
        where = ", ".join(part for part in (place, error.field) if part)
        return Explained(what=f"{name}: {error.problem}", where=where, next=f"Correct it.{allowed}")
    if isinstance(error, RunbookError):
        return Explained(what=f"{name}: {error}", where="", next=_OURS)
    return Explained(what=f"{name}: {error}", where=_place(error), next=_NOT_OURS)


def _place(error: BaseException) -> str:
    """Return the innermost line of code that raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
