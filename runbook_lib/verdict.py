"""Define what the judge says: outcomes, results and the verdict, the content of `verdict.json`."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from runbook_lib.evidence import Record

Action = Literal["PROCEED_TO_PRODUCTION", "INVESTIGATE", "ROLLBACK"]
Confidence = Literal["HIGH", "MEDIUM", "LOW"]


class Outcome(enum.IntEnum):
    """Outcome of a criterion, ordered from best to worst."""

    PASS, INCONCLUSIVE, ERROR, FAIL = range(4)


def _outcome(value: Any) -> Any:
    return Outcome[value] if isinstance(value, str) and value in Outcome.__members__ else value


OutcomeField = Annotated[
    Outcome,
    BeforeValidator(_outcome),
    PlainSerializer(lambda o: o.name, return_type=str),
    WithJsonSchema({"type": "string", "enum": list(Outcome.__members__)}),
]
"""An `Outcome` that files spell by its name."""


class LookSeen(Record):
    """What the pairs had shown at one look, as powers of ten: 2 is evidence of 100 to 1.

    Attributes:
        pairs: Pairs seen until then.
        against: Evidence that the candidate is worse than the tolerance.
        favour: Evidence that it is better than the margin.
    """

    pairs: int
    against: float
    favour: float


class CriterionResult(Record):
    """The judge's word on one criterion; every field of it is in `verdict.json`.

    Attributes:
        effect: Candidate less baseline, in `effect_unit`; candidate by baseline where that is `times`.
        effect_unit: Unit of effect, interval and, of pairs, `detectable`; empty for `unit`.
        interval: Confidence interval of the effect, at the level 1 - `alpha`.
        alpha: Chance of a wrong FAIL of this criterion, at most; None where nothing is left to chance.
        pass_alpha: Chance of a wrong PASS of this criterion, at most.
        wrong_at_most: Bound for the chance of such evidence from the other kind of candidate, once settled.
        detectable: The smallest effect that this look would have shown: for a count, the share of bad samples
            (0 to 1) of which at least one would have come with 95 %; for pairs, in the effect's own unit.
        needed: Samples that would settle what is INCONCLUSIVE, as far as that is known.
        would_change: What would make it another outcome, in one sentence.
        trail: For pairs, the evidence after each look.
    """

    id: str
    title: str
    group: str
    outcome: OutcomeField
    critical: bool
    metric: str
    observed: float | None
    unit: str
    bound: str
    baseline: float | None
    effect: float | None
    effect_unit: str = ""
    interval: tuple[float, float] | None = None
    alpha: float | None = None
    pass_alpha: float | None = None
    wrong_at_most: float | None = None
    samples: int
    detectable: float | None = None
    needed: int | None = None
    reason: str
    would_change: str = ""
    evidence: tuple[str, ...] = ()
    cell: str = ""
    trail: tuple[LookSeen, ...] = ()


class RegressionResult(Record):
    """A failure that the fix must remove: how it was on the baseline, how it is on the candidate."""

    id: str
    title: str
    criterion: str
    before: OutcomeField
    after: OutcomeField
    reading: str


class Verdict(Record):
    """The content of `verdict.json`, schema 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    run_id: str
    plan: str
    service: str
    candidate: str
    baseline: str
    action: Action
    confidence: Confidence
    deciding: str
    summary: str
    would_change: str = ""
    next_command: str
    criteria: tuple[CriterionResult, ...]
    regressions: tuple[RegressionResult, ...] = ()
    not_seen: tuple[str, ...] = ()
    started: datetime
    ended: datetime
    versions: dict[str, str] = Field(default_factory=dict)
