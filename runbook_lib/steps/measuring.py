"""Make measurements the way that every step makes them."""

from __future__ import annotations

from runbook_lib.catalogue import describe
from runbook_lib.evidence import Measurement, Role, Window


def measurement(
    metric: str,
    role: Role,
    window: Window,
    value: float | None,
    samples: int,
    *,
    failed: int = 0,
    own: float = 0,
    missing: int = 0,
    note: str = "",
    evidence: tuple[str, ...] = (),
) -> Measurement:
    """Return a measurement with unit and cell from the catalogue; without samples its value is None."""
    known = describe(metric)
    return Measurement(
        metric=metric,
        role=role,
        unit=known.unit,
        value=value if samples else None,
        samples=samples,
        failed=failed,
        own=own,
        missing=missing,
        window=window,
        note=note,
        evidence=evidence,
        cell=known.cell,
    )
