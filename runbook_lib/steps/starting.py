"""Pick the starts of both revisions' containers out of the series."""

from __future__ import annotations

import pandas as pd

from runbook_lib.evidence import DeployEvidence, RevisionState, Role
from runbook_lib.evidence.starts import Start, Starts
from runbook_lib.plan import Endpoints, Target


def seen_starts(series: pd.DataFrame, deployed: DeployEvidence, target: Target) -> Starts:
    """Return the starts that this run saw, without those of earlier runs.

    Args:
        series: One row per point; columns `time` (UTC), `role`, `metric`, `value` (ms for start-ups).
        deployed: Names both revisions.
        target: The service.
    """
    points = series[(series["metric"] == "startup") & (series["value"] > 0)].sort_values("time")
    return Starts(
        service=_name(target),
        candidate=_of("candidate", deployed.candidate, points),
        baseline=_of("baseline", deployed.baseline, points),
    )


def _of(role: Role, state: RevisionState | None, points: pd.DataFrame) -> tuple[Start, ...]:
    mine = points[points["role"] == role]
    return tuple(
        Start(at=time.floor("us").to_pydatetime(), revision=state.name if state else "", took_s=value / 1000)
        for time, value in zip(mine["time"], mine["value"], strict=True)
    )


def _name(target: Target) -> str:
    """Return the service's full name; starts on this machine are no measure for those of Google's."""
    cloud = "other" if isinstance(target.endpoints, Endpoints) else target.endpoints
    return f"{cloud}:projects/{target.project}/locations/{target.region}/services/{target.service}"
