"""Each variant of the sample service breaks its own promises and keeps all the others."""

from __future__ import annotations

import asyncio

import pytest
from sample_process import ask, logged_in, receive, running
from sample_survey import broken_promises, survey_of

from runbook_lib.emulator.sample_service.defects import VARIANTS, Defects, defects_of

SHORT = {
    "ANSWER_S": "0.02",
    "SLOW_CONNECT_S": "2.2",
    "SLOW_ANSWER_S": "2.2",
    "SLOW_START_S": "4.2",
    "LEAK_KIB_PER_CHAT": "1536",
}
BREAKS = {
    "healthy": set(),
    "previous": {"keeps sessions apart", "starts agents", "keeps users apart", "accepts connections"},
    "crash-loop": {"starts", "logs no error"},  # it says why it ends
    "startup-error": {"logs no error"},
    "unhealthy": {"is healthy"},
    "error-rate": {"serves the API"},
    "no-answer": {"finishes answers"},
    "session-conflict": {"keeps sessions apart"},
    "factory-failure": {"starts agents"},
    "missing-event": {"sends all five events"},
    "isolation-leak": {"keeps users apart"},
    "slow-connect": {"connects soon"},
    "slow-answer": {"answers soon"},
    "memory-leak": {"holds its memory"},
    "session-leak": {"forgets closed sessions"},
    "slow-start": {"starts soon"},
}
# The probes look at these, fault by fault: tests/steps/test_clauses.py and test_rare_leak.py.
BY_FAULT = {
    "weak-auth", "session-confusion", "event-faults", "factory-faults", "wrong-revision", "rare-leak",
    "drop-leak",
}  # fmt: skip


# These make their clients wait, so they are looked at together; the others one by one, in peace.
WAITING = ["no-answer", "previous", "session-leak", "slow-answer", "slow-connect", "slow-start"]
GROUPS = [WAITING, *([variant] for variant in sorted(BREAKS) if variant not in WAITING)]


async def _broken_by(variant: str) -> set[str]:
    with running(variant, **SHORT) as process:
        return broken_promises(await survey_of(process))


@pytest.mark.parametrize("variants", GROUPS, ids=" ".join)
async def test_variant_breaks_its_own_promises_and_no_other(variants: list[str]) -> None:
    """One survey for all variants: a check that could not fail would show on the variant made for it."""
    broken = await asyncio.gather(*map(_broken_by, variants))
    assert dict(zip(variants, broken, strict=True)) == {variant: BREAKS[variant] for variant in variants}


def test_every_variant_has_its_row() -> None:
    """A new variant must say here what it breaks."""
    assert set(BREAKS) | BY_FAULT == set(VARIANTS)


async def test_previous_revision_works_for_a_quiet_user_with_a_triage_agent() -> None:
    """Before the fix, trouble needs company: that is why nobody saw it in a quick look."""
    with running("previous", **SHORT) as process:
        user = await logged_in(process.url, "quiet")
        for number in range(7):
            async with user.socket() as socket:
                await receive(socket)
                answer = await ask(socket, user, f"hello {number}", within_s=10)
                assert [event["type"] for event in answer.events][-1] == "agent_completed"


def test_crash_loop_exits_with_1_before_it_listens() -> None:
    """The platform sees a container that ends, not one that hangs."""
    with running("crash-loop") as process:
        assert process.entry("listening") is None
        assert process.popen.wait(10) == 1
        assert [entry["severity"] for entry in process.log] == ["INFO", "CRITICAL"]


def test_sizes_are_above_the_bounds_of_the_seed_unless_the_environment_says_otherwise() -> None:
    """30 s to connect and 60 s to answer are what the seed allows; a size alone switches nothing on."""
    assert defects_of("slow-connect", {}).slow_handshake_s == 32
    assert defects_of("slow-answer", {}).slow_answer_s == 62
    assert defects_of("memory-leak", {}).leak_kib_per_chat == 1536
    assert defects_of("slow-start", {}).start_delay_s == 8
    assert defects_of("slow-start", SHORT).start_delay_s == float(SHORT["SLOW_START_S"])
    assert defects_of("healthy", SHORT) == Defects()
