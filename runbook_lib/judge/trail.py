"""Lay out how the evidence of a criterion grew from look to look, for a chart with the line at 1/alpha."""

from __future__ import annotations

import math

import numpy as np

from runbook_lib.judge.paired import Weighed
from runbook_lib.verdict import LookSeen

_LOG_10 = math.log(10)
# What has happened and may never happen is beyond all evidence; JSON knows no infinity.
_BEYOND_DOUBT = 99.0


def trail(pairs: Weighed) -> tuple[LookSeen, ...]:
    """Return the evidence after each look, in order, as powers of ten of at most 99."""
    weights = pairs.weights
    return tuple(
        LookSeen(pairs=int(seen), against=against, favour=favour)
        for seen, against, favour in zip(
            np.cumsum(pairs.seen.pairs).tolist(),
            np.minimum(weights.against / _LOG_10, _BEYOND_DOUBT).tolist(),
            np.minimum(weights.favour / _LOG_10, _BEYOND_DOUBT).tolist(),
            strict=True,
        )
    )
