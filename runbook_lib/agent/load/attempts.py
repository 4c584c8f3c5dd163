"""Say which sessions a load makes: who connects to which revision, and when."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from runbook_lib.plan import Probes
from runbook_lib.ports import LoadJob
from runbook_lib.sessions import Attempt, user_number


def attempts_of(job: LoadJob, probes: Probes) -> tuple[Attempt, ...]:
    """Return the sessions of all roles in order of their intended start; a pair shares its number."""
    return tuple(sorted(_attempts(job, probes), key=lambda attempt: attempt.intended_s))


def user_index(number: int, probes: Probes) -> int:
    """Return which of a revision's users makes a session: one of its own, or whose turn it is."""
    return number % probes.load.users if probes.load.users else number


def _attempts(job: LoadJob, probes: Probes) -> Iterator[Attempt]:
    """Yield both sessions of each pair; it goes by lot which of the two comes first."""
    roles = sorted(job.urls)
    for arrival in job.arrivals:
        lot = zlib.crc32(f"{probes.load.seed} {arrival.number}".encode()) >> 16 & 1
        for place, role in enumerate(roles[::-1] if lot else roles):
            user = user_number(role, user_index(arrival.number, probes))
            yield Attempt(
                probe="load", role=role, number=arrival.number, user_number=user, agent=probes.agents[0],
                user=probes.auth.user.replace("{n}", str(user)),
                turn=1 + arrival.number // probes.load.users if probes.load.users else 1,
                intended_s=arrival.at_s + place * arrival.gap_s,
            )  # fmt: skip
