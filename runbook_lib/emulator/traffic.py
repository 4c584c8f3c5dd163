"""Resolves a service's traffic targets to revisions and chooses one for each request."""

import random
from collections.abc import Callable

from google.cloud import run_v2

from .errors import failed_precondition
from .runtime import RevisionRuntime
from .state import Service
from .validation import LATEST
from .wire import Message


def resolve_traffic(service: Service) -> list[Message]:
    """Return where the desired traffic leads now: one status for each target that has a revision.

    Raises:
        ApiError: FAILED_PRECONDITION when a target names a revision that does not exist or is not ready.
    """
    latest = service.message.latest_ready_revision.rsplit("/", 1)[-1]
    statuses = []
    for target in service.message.traffic:
        revision = latest if target.type_ == LATEST else target.revision.rsplit("/", 1)[-1]
        if not revision:
            continue
        _check_servable(service, revision)
        statuses.append(
            run_v2.TrafficTargetStatus.pb()(
                type_=target.type_, revision=revision, percent=target.percent, tag=target.tag
            )
        )
    return statuses


def _check_servable(service: Service, name: str) -> None:
    revision = service.revisions.get(name)
    if revision is None:
        raise failed_precondition(
            f"Revision '{name}' does not exist or is deleted. "
            "Update all traffic to route to currently available revisions."
        )
    if not revision.ready:
        raise failed_precondition(
            f"Revision '{name}' is not ready and cannot serve traffic. {revision.failure}"
        )


def by_percentage(service: Service, rng: random.Random) -> Callable[[], RevisionRuntime | None]:
    """Return a function that chooses a revision by the present percentages."""

    def pick() -> RevisionRuntime | None:
        shares = [status for status in service.message.traffic_statuses if status.percent > 0]
        if not shares:
            return None
        chosen = rng.choices(shares, weights=[status.percent for status in shares])[0]
        return service.revisions[chosen.revision].runtime

    return pick


def by_tag(service: Service, tag: str) -> Callable[[], RevisionRuntime | None]:
    """Return a function that finds the revision that bears a tag."""

    def pick() -> RevisionRuntime | None:
        for status in service.message.traffic_statuses:
            if status.tag == tag:
                return service.revisions[status.revision].runtime
        return None

    return pick
