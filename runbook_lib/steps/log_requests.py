"""Sum up a revision's request log: status classes, the share of errors with its interval, latencies. Pure."""

from __future__ import annotations

import math

import pandas as pd

from runbook_lib.evidence import Role
from runbook_lib.evidence_logs import RequestStatistics

_Z = 1.959964  # 95 % of a normal distribution lie within so many standard deviations
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
_SWITCHING_PROTOCOLS = 101


def statistics(entries: pd.DataFrame, role: Role) -> RequestStatistics:
    """Return what the requests among a role's entries say."""
    mine = entries[(entries["role"] == role) & (entries["log"] == "requests")].dropna(subset=["status"])
    status = mine["status"].astype(int)
    classes = (status // 100).value_counts().sort_index()
    errors = int((status >= 500).sum())
    return RequestStatistics(
        role=role,
        requests=len(mine),
        classes={f"{name}xx": int(count) for name, count in classes.items()},
        error_ratio=errors / len(mine) if len(mine) else None,
        interval=wilson(errors, len(mine)) if len(mine) else None,
        latency_s=_latencies(mine.loc[status != _SWITCHING_PROTOCOLS, "latency_s"].dropna()),
    )


def wilson(hits: int, tries: int) -> tuple[float, float]:
    """Return where a ratio is with 95 % confidence; right also for few tries and for ratios near 0.

    Source: Wilson (1927), Probable inference, the law of succession, and statistical inference, equation 4.
    """
    ratio, squared = hits / tries, _Z * _Z / tries
    middle = (ratio + squared / 2) / (1 + squared)
    half = _Z * math.sqrt(ratio * (1 - ratio) / tries + squared / (4 * tries)) / (1 + squared)
    return max(0.0, middle - half), min(1.0, middle + half)


def _latencies(latencies: pd.Series[float]) -> dict[str, float]:
    return {name: float(latencies.quantile(q)) for name, q in _QUANTILES.items()} if len(latencies) else {}
