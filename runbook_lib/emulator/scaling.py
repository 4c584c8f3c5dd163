"""How many instances each revision of a service keeps at least and may have at most; pure.

Source: https://cloud.google.com/run/docs/configuring/min-instances and …/max-instances
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .wire import Message


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Limits on the number of a revision's instances.

    Attributes:
        reached: Whether traffic or a tag leads to the revision.
    """

    reached: bool
    at_least: int
    at_most: int


def bounds(service: Message, revision: Message, name: str) -> Bounds:
    """Return the limits of one revision under its service's present traffic.

    A revision's own minimum holds as long as the traffic names it, even with 0 %, or it bears a tag. The
    service's minimum and maximum are divided by share of traffic, so a tag alone has no part in them.
    """
    percents: dict[str, int] = {}
    for status in service.traffic_statuses:
        percents[status.revision] = percents.get(status.revision, 0) + status.percent
    named = name in percents
    least = divide(service.scaling.min_instance_count, percents).get(name, 0)
    most = revision.scaling.max_instance_count
    if service.scaling.max_instance_count and percents.get(name):
        most = min(most, max(1, divide(service.scaling.max_instance_count, percents)[name]))
    own = revision.scaling.min_instance_count if named else 0
    tagged = any(status.tag and status.revision == name for status in service.traffic_statuses)
    return Bounds(
        reached=tagged or percents.get(name, 0) > 0, at_least=min(max(least, own), most), at_most=most
    )


def divide(total: int, percents: Mapping[str, int]) -> dict[str, int]:
    """Split a number by percentages that sum to 100; what rounding leaves goes to the largest rests."""
    shares = {name: total * percent // 100 for name, percent in percents.items()}
    rests = sorted(percents, key=lambda name: (-(total * percents[name] % 100), name))
    for name in rests[: total - sum(shares.values())]:
        shares[name] += 1
    return shares
