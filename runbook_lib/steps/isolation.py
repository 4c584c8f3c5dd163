"""Say whose words came in whose stream: sender, receiver, and what it was; judges nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runbook_lib.evidence import Leak, Session


def leaks(sessions: Iterable[Session]) -> tuple[Leak, ...]:
    """Return everything of one user's that came in another's stream, in order of the sessions.

    An id is known by the session that it was given to, a mark by the session that sent it. Senders of
    another run are not known. What comes of the same user's other session is no leak among users.
    """
    every = list(sessions)
    owners = {each.mark: each.user for each in every}
    for each in every:
        owners |= {name: each.user for name in (each.user_id, each.session_id) if name}
    return tuple(leak for each in every for leak in _of(each, owners))


def sentence(leak: Leak) -> str:
    """Return a leak in words."""
    whose = f"of {leak.sender}" if leak.sender else "of somebody unknown"
    return f"{leak.probe} session {leak.session}: {leak.receiver} received {leak.what} {whose}"


def _of(session: Session, owners: dict[str, str]) -> Iterator[Leak]:
    for what in (*session.foreign_marks, *session.foreign_ids):
        sender = owners.get(what, "")
        if sender != session.user:
            yield Leak(
                role=session.role, probe=session.probe, session=session.number, receiver=session.user,
                sender=sender, what=what,
            )  # fmt: skip
