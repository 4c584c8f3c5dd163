"""Hold everything that the judge is shown of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from runbook_lib.catalogue import describe
from runbook_lib.evidence import Measurement, Role
from runbook_lib.evidence.memory import MemoryWatch
from runbook_lib.evidence.pairs import PairCounts
from runbook_lib.evidence.starts import Starts


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the steps observed.

    Attributes:
        measurements: Everything that is one figure.
        unseen: For each step that left no evidence, the reason.
        pairs: Pairs of sessions by the id of the criterion that compares them.
        memory: Both revisions' memory under load.
        starts: Starts of this run and of earlier ones; None where the run has kept none.
    """

    measurements: tuple[Measurement, ...] = ()
    unseen: Mapping[str, str] = field(default_factory=dict)
    pairs: Mapping[str, PairCounts] = field(default_factory=dict)
    memory: MemoryWatch | None = None
    starts: Starts | None = None

    def of(self, metric: str, role: Role = "candidate") -> Measurement | None:
        """Return the measurement of a metric on one revision, or None where nobody made it."""
        return self._measured.get((metric, role))

    def why_unseen(self, metric: str) -> str:
        """Return why there is no evidence of a metric."""
        step = describe(metric).step
        return self.unseen.get(step, f"the step {step} left no evidence of {metric}")

    @cached_property
    def _measured(self) -> Mapping[tuple[str, Role], Measurement]:
        return {(found.metric, found.role): found for found in self.measurements}
