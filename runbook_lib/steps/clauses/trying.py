"""Try every clause that the plan's service promises, all at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runbook_lib.catalogue import CLAUSES
from runbook_lib.errors import AgentError
from runbook_lib.evidence import ClauseSeen, Session
from runbook_lib.plan import Probes
from runbook_lib.steps.clauses import of_sessions, of_tokens
from runbook_lib.steps.clauses.trial import USERS_EACH, Broken, Ground, NotApplicable, Trial

Clause = Callable[[Trial], Awaitable[None]]

_TRIED: dict[str, Clause] = {
    "same-user-twice": of_sessions.same_user_twice,
    "second-login": of_sessions.second_login,
    "reconnect": of_sessions.reconnect,
    "drop-in-mid-stream": of_sessions.drop_in_mid_stream,
    "resume": of_sessions.resume,
    "resume-of-anothers": of_sessions.resume_of_anothers,
    "no-credentials": of_tokens.no_credentials,
    "marker-alone": of_tokens.marker_alone,
    "token-alone": of_tokens.token_alone,
    "garbage-token": of_tokens.garbage_token,
    "forged-signature": of_tokens.forged_signature,
    "unsigned-token": of_tokens.unsigned_token,
    "anothers-claims": of_tokens.anothers_claims,
    "expired-token": of_tokens.expired_token,
    "logged-out-token": of_tokens.logged_out_token,
}


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What became of one clause, and the sessions that it took."""

    seen: ClauseSeen
    sessions: tuple[Session, ...]


def due_clauses(probes: Probes) -> tuple[str, ...]:
    """Return the clauses that this plan's service promises, in the catalogue's order."""
    plan, auth = probes.protocol, probes.auth
    with_token = sum("{token" in each for each in plan.subprotocols)
    marked = 0 < with_token < len(plan.subprotocols)
    possible = {
        "resume": plan.resume_path,
        "resume-of-anothers": plan.resume_path,
        "marker-alone": marked,
        "token-alone": marked,
        "expired-token": auth.short_lived or auth.expired_token_env,
        "logged-out-token": auth.logout_path,
    }
    return tuple(name for name in CLAUSES if possible.get(name, True) and name not in probes.without)


async def try_clauses(ground: Ground, first_user: int) -> tuple[Tried, ...]:
    """Try them all; the users are those from `first_user` on, two for each clause."""
    trials = (
        _try(name, Trial(name, first_user + USERS_EACH * place, ground))
        for place, name in enumerate(due_clauses(ground.probes))
    )
    return tuple(await asyncio.gather(*trials))


async def _try(name: str, trial: Trial) -> Tried:
    outcome, detail = "kept", ""
    try:
        await _TRIED[name](trial)
    except Broken as how:
        outcome, detail = "broken", str(how)
    except NotApplicable as why:
        outcome, detail = "does not apply", str(why)
    except AgentError as trouble:
        outcome, detail = "not tried", str(trouble)
    words = " ".join(detail.split())
    fields = {"role": trial.role, "clause": name, "outcome": outcome, "detail": words}
    return Tried(seen=ClauseSeen.model_validate(fields), sessions=tuple(trial.sessions))
