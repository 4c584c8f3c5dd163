"""Compose traffic tables; tags that are not the plan's own are always kept."""

from __future__ import annotations

from collections.abc import Sequence

from runbook_lib.errors import RunRefused
from runbook_lib.evidence import ServiceState, TrafficShare
from runbook_lib.plan import Rollout


def all_on(revision: str, service: ServiceState, rollout: Rollout, tag: str = "") -> tuple[TrafficShare, ...]:
    """Return all traffic on one revision, which gets `tag`; the plan's own tags are taken from the others."""
    return (TrafficShare(revision=revision, percent=100, tag=tag), *_foreign(service, rollout))


def split(
    candidate: str, baseline: str, percent: int, service: ServiceState, rollout: Rollout
) -> tuple[TrafficShare, ...]:
    """Return `percent` on the candidate and the rest on the baseline, both with their tags."""
    return (
        TrafficShare(revision=baseline, percent=100 - percent, tag=rollout.baseline_tag),
        TrafficShare(revision=candidate, percent=percent, tag=rollout.candidate_tag),
        *_foreign(service, rollout),
    )


def same_traffic(one: Sequence[TrafficShare], other: Sequence[TrafficShare]) -> bool:
    """Say whether two tables send the same shares to the same places, in whatever order."""
    return _rows(one) == _rows(other)


def traffic_words(shares: Sequence[TrafficShare]) -> str:
    """Return a table in one line, e.g. `chat-1 100 % (baseline), chat-2 0 % (candidate)`."""
    return ", ".join(
        f"{revision} {percent} %" + (f" ({tag})" if tag else "") for revision, tag, percent in _rows(shares)
    )


def _rows(shares: Sequence[TrafficShare]) -> list[tuple[str, str, int]]:
    return sorted((share.revision, share.tag, share.percent) for share in shares)


def shares_at(
    percent: int, candidate: str, baseline: str, service: ServiceState, rollout: Rollout
) -> tuple[TrafficShare, ...]:
    """Return the traffic table at which the candidate has `percent`; at 0 and at 100 no tag is left."""
    if percent in (0, 100):
        return all_on(candidate if percent else baseline, service, rollout)
    return split(candidate, baseline, percent, service, rollout)


def refuse_strangers(service: ServiceState, known: tuple[str, ...]) -> None:
    """Refuse to move traffic that somebody else has moved since.

    Raises:
        RunRefused: If a revision that this run does not know serves.
    """
    strangers = sorted({share.revision for share in service.traffic if share.percent} - set(known))
    if strangers:
        raise RunRefused(
            f"{', '.join(strangers)} serves now, which this run did not deploy: "
            "somebody has deployed since, so move the traffic by hand or validate again"
        )


def _foreign(service: ServiceState, rollout: Rollout) -> list[TrafficShare]:
    ours = ("", rollout.candidate_tag, rollout.baseline_tag)
    return [
        TrafficShare(revision=share.revision, percent=0, tag=share.tag)
        for share in service.traffic
        if share.tag not in ours
    ]
