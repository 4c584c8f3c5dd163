"""Sum up a revision's request log: status classes, the share of errors with its interval, latencies. Pure."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from runbook_lib.evidence import Role
from runbook_lib.evidence.logs import RequestStatistics, weights

_Z = 1.959964  # 95 % of a normal distribution lie within so many standard deviations
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
_SWITCHING_PROTOCOLS = 101


def statistics(entries: pd.DataFrame, role: Role) -> RequestStatistics:
    """Return what the requests among a role's entries say."""
    mine = entries[(entries["role"] == role) & (entries["log"] == "requests")].dropna(subset=["status"])
    status, counts = mine["status"].astype(int), weights(mine)
    classes = counts.groupby(status // 100).sum()
    errors, requests = int(counts[status >= 500].sum()), int(counts.sum())
    timed = mine[(status != _SWITCHING_PROTOCOLS) & mine["latency_s"].notna()]
    return RequestStatistics(
        role=role,
        requests=requests,
        classes={f"{name}xx": int(count) for name, count in classes.items()},
        error_ratio=errors / requests if requests else None,
        interval=wilson(errors, requests) if requests else None,
        latency_s=_latencies(timed["latency_s"].to_numpy(), weights(timed).to_numpy()),
    )


def wilson(hits: int, tries: int) -> tuple[float, float]:
    """Return where a ratio is with 95 % confidence; right also for few tries and for ratios near 0.

    Source: Wilson (1927), Probable inference, the law of succession, and statistical inference, equation 4.
    """
    ratio, squared = hits / tries, _Z * _Z / tries
    middle = (ratio + squared / 2) / (1 + squared)
    half = _Z * math.sqrt(ratio * (1 - ratio) / tries + squared / (4 * tries)) / (1 + squared)
    return max(0.0, middle - half), min(1.0, middle + half)


def _latencies(latencies: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    if not len(latencies):
        return {}
    order = np.argsort(latencies)
    values, ends = latencies[order], np.cumsum(counts[order])
    return {name: _quantile(values, ends, q) for name, q in _QUANTILES.items()}


def _quantile(values: np.ndarray, ends: np.ndarray, q: float) -> float:
    """Return a quantile of values in order, each of which stands up to its place in `ends`.

    Source: Hyndman and Fan (1996), definition 7, as pandas does by default.
    """
    place = q * (ends[-1] - 1)
    low, high = values[np.searchsorted(ends, (math.floor(place), math.ceil(place)), side="right")]
    return float(low + (high - low) * (place % 1))
