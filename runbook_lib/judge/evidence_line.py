"""Lay out how the evidence of a criterion grew from look to look, for a chart with the line at 1/alpha."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runbook_lib.judge.cells import table
from runbook_lib.judge.paired import PairedSpec, weights_of
from runbook_lib.pairs import PairCounts


@dataclass(frozen=True, kw_only=True)
class EvidenceAt:
    """The logs of both e-values after one look, `pairs` being all pairs until then."""

    look: int
    pairs: int
    against: float
    favour: float


def evidence_line(spec: PairedSpec, counts: PairCounts) -> tuple[EvidenceAt, ...]:
    """Return the evidence after each look, in order."""
    seen = table(counts)
    weights = weights_of(spec, seen)
    columns = zip(
        counts.looks,
        np.cumsum(seen.pairs).tolist(),
        weights.against.tolist(),
        weights.favour.tolist(),
        strict=True,
    )
    return tuple(
        EvidenceAt(look=look.number, pairs=int(pairs), against=against, favour=favour)
        for look, pairs, against, favour in columns
    )
