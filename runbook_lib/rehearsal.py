"""Define what a rehearsal of the gate leaves behind: which image was tried and what the gate said of it."""

from __future__ import annotations

from datetime import datetime

from runbook_lib.evidence import Record
from runbook_lib.verdict import Action

FILE = "selftest.json"
"""The last self-test of an outputs folder; each later run takes a copy of it along."""


class Tried(Record):
    """One image that went through the gate.

    Attributes:
        image: The candidate.
        baseline: The image it was compared with.
        expected: The criterion that had to fail; empty where the image had to proceed.
        action: What the gate said; None where it could not look, with the reason in `error`.
        failed: The criteria that failed, in the plan's order.
        sessions: Sessions under load on the candidate until the verdict.
        seconds: Wall time.
        run: Name of its run folder, beside those of the other images.
    """

    image: str
    baseline: str
    expected: str
    action: Action | None
    failed: tuple[str, ...] = ()
    sessions: int = 0
    seconds: float
    error: str = ""
    run: str = ""

    @property
    def as_expected(self) -> bool:
        """Whether the gate said what it had to, for the reason it had to."""
        if self.expected:
            return self.action == "ROLLBACK" and self.expected in self.failed
        return self.action == "PROCEED_TO_PRODUCTION"


class SelfTested(Record):
    """The confusion matrix of one self-test, in the order of the plan.

    Attributes:
        folder: Where the run folders are, relative to that of this file.
    """

    plan: str
    folder: str
    started: datetime
    ended: datetime
    tried: tuple[Tried, ...]

    @property
    def passed(self) -> bool:
        """Whether every image ended as expected."""
        return all(each.as_expected for each in self.tried)
