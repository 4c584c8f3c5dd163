"""Traffic tables always add up to 100, keep other people's tags, and never move a stranger's traffic."""

from __future__ import annotations

import pytest

from runbook_lib.errors import RunRefused
from runbook_lib.evidence import ServiceState, TrafficShare
from runbook_lib.plan import Rollout
from runbook_lib.steps.traffic import all_on, refuse_strangers, split

ROLLOUT = Rollout()


def service(*rows: tuple[str, int, str]) -> ServiceState:
    shares = tuple(TrafficShare(revision=name, percent=percent, tag=tag) for name, percent, tag in rows)
    return ServiceState(
        name="chat", url="http://chat", generation=1, traffic=shares, latest_created="b", latest_ready="b"
    )


def rows(shares: tuple[TrafficShare, ...]) -> list[tuple[str, int, str]]:
    return [(share.revision, share.percent, share.tag) for share in shares]


def test_all_traffic_goes_to_one_revision_and_our_own_tags_leave_the_others() -> None:
    before = service(("a", 60, "baseline"), ("b", 40, "candidate"), ("c", 0, ""))
    assert rows(all_on("a", before, ROLLOUT)) == [("a", 100, "")]
    assert rows(all_on("a", before, ROLLOUT, "baseline")) == [("a", 100, "baseline")]


@pytest.mark.parametrize("percent", [0, 10, 50, 100])
def test_a_split_gives_both_their_tags_and_adds_up_to_100(percent: int) -> None:
    shares = split("b", "a", percent, service(("a", 100, "")), ROLLOUT)
    assert rows(shares) == [("a", 100 - percent, "baseline"), ("b", percent, "candidate")]


def test_other_peoples_tags_are_kept_without_traffic() -> None:
    before = service(("a", 90, "blue"), ("c", 10, "green"), ("a", 0, "candidate"))
    kept = [("a", 0, "blue"), ("c", 0, "green")]
    assert rows(all_on("a", before, ROLLOUT))[1:] == kept
    assert rows(split("b", "a", 10, before, ROLLOUT))[2:] == kept
    assert sum(share.percent for share in split("b", "a", 10, before, ROLLOUT)) == 100


def test_the_plans_own_names_for_the_tags_are_used() -> None:
    named = Rollout(candidate_tag="new", baseline_tag="old")
    before = service(("a", 100, "candidate"), ("b", 0, "new"))
    assert rows(split("b", "a", 50, before, named)) == [
        ("a", 50, "old"), ("b", 50, "new"), ("a", 0, "candidate")
    ]  # fmt: skip


def test_known_revisions_and_those_without_traffic_are_no_strangers() -> None:
    refuse_strangers(service(("a", 90, ""), ("b", 10, ""), ("z", 0, "blue")), ("a", "b"))


def test_traffic_that_somebody_else_moved_is_refused_with_their_revisions_named() -> None:
    with pytest.raises(RunRefused) as caught:
        refuse_strangers(service(("z", 40, ""), ("a", 50, ""), ("c", 10, "")), ("a", "b"))
    assert str(caught.value) == (
        "c, z serves now, which this run did not deploy: "
        "somebody has deployed since, so move the traffic by hand or validate again"
    )
