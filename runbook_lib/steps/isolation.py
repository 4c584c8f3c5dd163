"""Say whose words came in whose stream: sender, receiver, and what it was; judges nothing."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runbook_lib.evidence import ROLES, Leak, Session

_Numbers = npt.NDArray[np.int64]
_EMPTY = hash("")


def leaks(sessions: Iterable[Session]) -> tuple[Leak, ...]:
    """Return everything of one user's that came in another's stream, in order of the sessions."""
    every, names = list(sessions), Names()
    for each in every:
        names.add(each)
    return names.leaks(lambda rows: {row: every[row] for row in rows})


def sentence(leak: Leak) -> str:
    """Return a leak in words."""
    whose = f"of {leak.sender}" if leak.sender else "of somebody unknown"
    return f"{leak.probe} session {leak.session}: {leak.receiver} received {leak.what} {whose}"


class Names:
    """Remembers of each session whose it was, what was given to it, and what came in it that was not its own.

    A name takes 8 bytes, for it is kept as its hash: two of three million are taken for the same once in four
    million runs.
    """

    def __init__(self) -> None:
        self._users, self._marks, self._user_ids, self._session_ids = (array("q") for _ in range(4))
        self._foreign = {role: _Foreign() for role in ROLES}

    def add(self, session: Session) -> None:
        """Take the next session; its row is how many came before it."""
        foreign, row = self._foreign[session.role], len(self._users)
        for place, what in enumerate(_came(session)):
            foreign.add(row, place, what)
        self._users.append(hash(session.user))
        self._marks.append(hash(session.mark))
        self._user_ids.append(hash(session.user_id))
        self._session_ids.append(hash(session.session_id))

    def leaks(
        self, at: Callable[[set[int]], Mapping[int, Session]], most: int | None = None
    ) -> tuple[Leak, ...]:
        """Return what of one user's came in another's stream, in order of the sessions.

        An id is known by the session that it was given to, a mark by the session that sent it. Senders of
        another run are not known. What comes of the same user's other session is no leak among users.

        Args:
            at: Returns the sessions of some rows, by row.
            most: So many are returned of each role at most.
        """
        found = [each for role in ROLES for each in self._found(self._foreign[role], most)]
        if not found:
            return ()
        sessions = at({row for each in found for row in (each.receiver, each.sender) if row >= 0})
        return tuple(_leak(each, sessions) for each in sorted(found, key=lambda each: each.receiver))

    def _found(self, foreign: _Foreign, most: int | None) -> Iterator[_Found]:
        things, places = np.unique(foreign.things, return_inverse=True)
        senders, receivers = self._owners(things)[places], np.asarray(foreign.rows)
        users = np.asarray(self._users)
        leaked = np.flatnonzero((senders < 0) | (users[senders] != users[receivers]))
        for each in leaked[:most].tolist():
            yield _Found(receiver=foreign.rows[each], place=foreign.places[each], sender=int(senders[each]))

    def _owners(self, things: _Numbers) -> _Numbers:
        """Return the row of the session that each thing belongs to, -1 where it is nobody's of this run."""
        given, sent = _last_rows(things, self._user_ids, self._session_ids), _last_rows(things, self._marks)
        return np.where(given >= 0, given, sent)


class _Foreign:
    """What came in sessions of one role that was not their own: row, place among all that came, and hash."""

    def __init__(self) -> None:
        self.rows, self.places, self.things = (array("q") for _ in range(3))

    def add(self, row: int, place: int, what: str) -> None:
        self.rows.append(row)
        self.places.append(place)
        self.things.append(hash(what))


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A leak by the rows of its sessions; `sender` is -1 where it is none of ours."""

    receiver: int
    place: int
    sender: int


def _last_rows(things: _Numbers, *kinds: array[int]) -> _Numbers:
    """Return the last row that has each of the sorted things among its names; -1 where none has it."""
    last = np.full(len(things), -1)
    for kind in kinds if len(things) else ():
        names = np.asarray(kind)
        nearest = np.searchsorted(things, names).clip(max=len(things) - 1)
        rows = np.flatnonzero((things[nearest] == names) & (names != _EMPTY))
        np.maximum.at(last, nearest[rows], rows)
    return last


def _came(session: Session) -> tuple[str, ...]:
    return (*session.foreign_marks, *session.foreign_ids)


def _leak(found: _Found, sessions: Mapping[int, Session]) -> Leak:
    receiver, sender = sessions[found.receiver], sessions.get(found.sender)
    return Leak(
        role=receiver.role, probe=receiver.probe, session=receiver.number, receiver=receiver.user,
        sender=sender.user if sender else "", what=_came(receiver)[found.place],
    )  # fmt: skip
