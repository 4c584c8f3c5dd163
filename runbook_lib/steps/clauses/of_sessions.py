"""The clauses about one user's sessions: two at once, a second login, coming back, resuming."""

from __future__ import annotations

import asyncio

from runbook_lib.errors import HandshakeRejected
from runbook_lib.ports import ChatSession
from runbook_lib.steps.clauses.trial import Broken, Trial


async def same_user_twice(trial: Trial) -> None:
    """Two sessions of one user talk at the same time, and each gets its own answers only."""
    token = await trial.log_in()
    first = await trial.enter(token)
    try:
        second = await _must_enter(trial, token, "a second session beside the first")
        try:
            await asyncio.gather(trial.ask(first), trial.ask(second))
        finally:
            await second.close()
    finally:
        await first.close()


async def second_login(trial: Trial) -> None:
    """The user logs in again, and the session from before goes on."""
    first = await trial.enter(await trial.log_in())
    try:
        await trial.ask(first, listen_s=0.0)
        second = await trial.enter(await trial.log_in())
        await second.close()
        await trial.ask(first)
    finally:
        await first.close()


async def reconnect(trial: Trial) -> None:
    """The user leaves and comes back at once."""
    token = await trial.log_in()
    await (await trial.enter(token)).close()
    again = await _must_enter(trial, token, "a session after the first was closed")
    try:
        await trial.ask(again)
    finally:
        await again.close()


async def drop_in_mid_stream(trial: Trial) -> None:
    """The connection breaks while an answer comes; the next session hears nothing of it."""
    token = await trial.log_in()
    await trial.drop(await trial.enter(token))
    again = await _must_enter(trial, token, "a session after the first was dropped")
    try:
        await trial.ask(again)
    finally:
        await again.close()


async def resume(trial: Trial) -> None:
    """The user comes back to the session that they left."""
    token = await trial.log_in()
    left = await trial.enter(token)
    await trial.ask(left, listen_s=0.0)
    await left.close()
    again = await _must_enter(trial, token, "the session that was left", _path(trial, left))
    try:
        if again.session_id != left.session_id:
            raise Broken(f"asked for {left.session_id} and got {again.session_id or 'a session without id'}")
        await trial.ask(again)
    finally:
        await again.close()


async def resume_of_anothers(trial: Trial) -> None:
    """Another user asks for the session, while it is open and after it was left."""
    owner = await trial.enter(await trial.log_in(0))
    thief = await trial.log_in(1)
    try:
        await trial.ask(owner, listen_s=0.0)
        await _must_not_get(trial, thief, owner)
    finally:
        await owner.close()
    await _must_not_get(trial, thief, owner)


async def _must_not_get(trial: Trial, token: str, wanted: ChatSession) -> None:
    try:
        got = await trial.enter(token, _path(trial, wanted))
    except HandshakeRejected:
        return
    try:
        if got.session_id == wanted.session_id:
            raise Broken(f"another user was given the session {wanted.session_id}")
    finally:
        await got.close()


async def _must_enter(trial: Trial, token: str, what: str, path: str = "") -> ChatSession:
    try:
        return await trial.enter(token, path)
    except HandshakeRejected as refusal:
        raise Broken(f"{what} was refused: {refusal}") from refusal


def _path(trial: Trial, session: ChatSession) -> str:
    return (trial.probes.protocol.resume_path or "").replace("{session_id}", session.session_id)
