"""The clauses about who may enter: each tries to get in by something that is no good token."""

from __future__ import annotations

import asyncio

from runbook_lib.steps.clauses import forgeries
from runbook_lib.steps.clauses.trial import NotApplicable, Trial

_LONGER_S = 0.2


async def no_credentials(trial: Trial) -> None:
    """Nothing is shown at all."""
    await trial.must_be_refused("", trial.offer(subprotocols=(), headers=False))


async def marker_alone(trial: Trial) -> None:
    """The subprotocols without the one that holds the token."""
    offered = trial.probes.protocol.subprotocols
    bare = tuple(each for each in offered if "{token" not in each)
    await trial.must_be_refused("", trial.offer(subprotocols=bare, headers=False))


async def token_alone(trial: Trial) -> None:
    """The token's subprotocol without the others."""
    offered = trial.probes.protocol.subprotocols
    token = tuple(each for each in offered if "{token" in each)
    await trial.must_be_refused(await trial.log_in(), trial.offer(subprotocols=token, headers=False))


async def garbage_token(trial: Trial) -> None:
    """A text that never was a token."""
    await trial.must_be_refused(forgeries.GARBAGE)


async def forged_signature(trial: Trial) -> None:
    """A good token whose signature was altered."""
    await trial.must_be_refused(forgeries.altered_signature(await trial.log_in()))


async def unsigned_token(trial: Trial) -> None:
    """A good token's claims under a header that asks for no signature."""
    await trial.must_be_refused(_made(forgeries.unsigned(await trial.log_in())))


async def anothers_claims(trial: Trial) -> None:
    """One user's claims under another user's signature."""
    mine, other = [await trial.log_in(user) for user in (0, 1)]
    await trial.must_be_refused(_made(forgeries.with_claims_of(mine, other)))


async def expired_token(trial: Trial) -> None:
    """A token that was good a moment ago."""
    auth, token = trial.probes.auth, trial.expired_token
    if auth.short_lived:
        token = await trial.log_in(more=auth.short_lived)
        await asyncio.sleep(auth.short_lived_s + _LONGER_S)
    elif not token:
        raise NotApplicable(f"{auth.expired_token_env} is not set")
    await trial.must_be_refused(token)


async def logged_out_token(trial: Trial) -> None:
    """A token that its user has ended; it was good before."""
    token = await trial.log_in()
    chat = await trial.enter(token)
    await chat.close()
    await trial.log_out(token)
    await trial.must_be_refused(token)


def _made(token: str | None) -> str:
    if token is None:
        raise NotApplicable("the service's tokens are no JSON Web Tokens")
    return token
