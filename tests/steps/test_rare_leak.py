"""A leak that comes once in many sessions is found by the load, with sender and receiver; in small."""

from __future__ import annotations

from fault_services import serving

from benchmarks.probes.rare_leak import look_for_a_leak


async def test_one_event_of_another_user_in_twenty_sessions_is_found_and_named() -> None:
    async with serving("rare-leak", LEAK_SHARE="0.05", LEAK_SEED="891", ANSWER_S="0.04") as url:
        found = await look_for_a_leak(url, seed=891, most=150, rate_per_s=100, look=50)
    assert found.at is not None
    assert found.answered == found.sessions <= 150
    assert found.leak is not None
    assert found.leak.receiver != found.leak.sender
    assert found.leak.sender.startswith("probe-")


async def test_a_healthy_service_under_the_same_load_shows_nothing() -> None:
    async with serving("healthy", ANSWER_S="0.04") as url:
        found = await look_for_a_leak(url, seed=891, most=60, rate_per_s=100)
    assert (found.sessions, found.answered, found.at) == (60, 60, None)
