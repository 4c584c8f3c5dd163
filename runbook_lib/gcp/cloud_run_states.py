"""Turn the vendor's services and revisions into our records."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from google.cloud import run_v2

from runbook_lib.errors import CloudError
from runbook_lib.evidence import RevisionState, ServiceState, TrafficShare

DEPLOYMENT = "validation-runbook/deployment"
"""Annotation of a revision: the idempotency key of the deployment that made it."""
_BYTES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9}


def service_state(service: run_v2.Service) -> ServiceState:
    """Return a service; its traffic is what is served, not what was asked for."""
    latest_ready = short(service.latest_ready_revision)
    return ServiceState(
        name=short(service.name),
        url=service.uri,
        generation=service.generation,
        traffic=tuple(
            TrafficShare(
                revision=status.revision or latest_ready,
                percent=status.percent,
                tag=status.tag,
                url=status.uri,
            )
            for status in service.traffic_statuses
        ),
        latest_created=short(service.latest_created_revision),
        latest_ready=latest_ready,
        reconciling=service.reconciling,
        message=service.terminal_condition.message,
    )


def revision_state(revision: run_v2.Revision) -> RevisionState:
    """Return a revision; it is ready, or not, once the cloud has decided.

    Raises:
        CloudError: If the answer is none that Cloud Run gives.
    """
    try:
        return _revision_state(revision)
    except (ValueError, OverflowError) as error:
        raise CloudError(
            "revisions.get", short(revision.name), f"what cannot be read ({error})", "see what answers there"
        ) from error


def _revision_state(revision: run_v2.Revision) -> RevisionState:
    container = next(iter(revision.containers), run_v2.Container())
    ready = next((condition for condition in revision.conditions if condition.type_ == "Ready"), None)
    decided = {
        run_v2.Condition.State.CONDITION_SUCCEEDED: True,
        run_v2.Condition.State.CONDITION_FAILED: False,
    }
    verdict = decided.get(ready.state) if ready else None
    return RevisionState(
        name=short(revision.name),
        image=container.image,
        created=_time(revision.create_time),
        ready=verdict,
        settled=_time(ready.last_transition_time) if ready and verdict is not None else None,
        message=ready.message if ready else "",
        memory_limit_mib=_mib(container.resources.limits.get("memory", "")),
        deployment=revision.annotations.get(DEPLOYMENT, ""),
    )


def _time(stamp: Any) -> datetime:
    """Return a plain datetime for the vendor's subclass of it."""
    if stamp is None:
        raise ValueError("a time is missing")
    return datetime.fromtimestamp(stamp.timestamp(), tz=stamp.tzinfo)


def short(name: str) -> str:
    """Return the last part of a full resource name."""
    return name.rpartition("/")[2]


def _mib(quantity: str) -> float | None:
    """Return a Kubernetes quantity such as `512Mi` in MiB, or None for none."""
    for unit, size in _BYTES.items():
        if quantity.endswith(unit):
            return float(quantity.removesuffix(unit)) * size / 2**20
    return float(quantity) / 2**20 if quantity else None
