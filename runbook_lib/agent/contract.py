"""Read the plan's protocol into what a conversation checks: which events, in what order, which fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runbook_lib.plan.probes import Protocol

Body = dict[str, Any]
Read = Callable[[Body], object]
_REPEATED, _OPTIONAL = "+*", "?*"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One event of the protocol. `place` is its place in the order, from 0."""

    name: str
    place: int
    required: bool
    repeated: bool


@dataclass(frozen=True, kw_only=True)
class Fields:
    """What reads one thing of an event each; None comes back where it is not there."""

    kind: Read
    run: Read
    reply_to: Read
    message_id: Read
    sequence: Read
    agent: Read
    user: Read
    session: Read


@dataclass(frozen=True, kw_only=True)
class Contract:
    """The plan's protocol, made ready once for any number of conversations."""

    protocol: Protocol

    @cached_property
    def expected(self) -> dict[str, Expected]:
        """The events by name, in their order."""
        entries = (_expected(place, entry) for place, entry in enumerate(self.protocol.events))
        return {entry.name: entry for entry in entries}

    @cached_property
    def final(self) -> str:
        """The event that ends an answer."""
        return next(reversed(self.expected))

    @cached_property
    def names(self) -> frozenset[str]:
        """Every type that the plan knows."""
        return frozenset((*self.expected, *self.protocol.failure_events, *self.protocol.other_events))

    @cached_property
    def read(self) -> Fields:
        """Reads of an event what the plan gives a field for."""
        plan = self.protocol
        return Fields(
            kind=reader(plan.type_field), run=reader(plan.run_field), reply_to=reader(plan.correlation_field),
            message_id=reader(plan.id_field), sequence=reader(plan.sequence_field),
            agent=reader(plan.agent_field), user=reader(plan.user_field), session=reader(plan.session_field),
        )  # fmt: skip

    @cached_property
    def required_fields(self) -> tuple[tuple[str, Read], ...]:
        """The fields that every event has, each with what reads it."""
        return tuple((field, reader(field)) for field in self.protocol.required_fields)

    @cached_property
    def same_fields(self) -> tuple[tuple[str, Read], ...]:
        """The fields that all events of an answer share, each with what reads it."""
        fields = (*self.protocol.same_fields, self.protocol.user_field, self.protocol.session_field)
        return tuple((field, reader(field)) for field in dict.fromkeys(fields) if field)

    def next_after(self, seen: set[str]) -> tuple[str, ...]:
        """Return what may come once `seen` has: up to and with the first event that has to."""
        places = [each.place for each in self.expected.values() if each.name in seen]
        furthest = max(places, default=-1)
        allowed = []
        for each in self.expected.values():
            if each.place < furthest or (each.place == furthest and not each.repeated):
                continue
            allowed.append(each.name)
            if each.required and each.place > furthest:
                break
        return tuple(allowed)


def reader(path: str | None) -> Read:
    """Return a function that reads a dotted path in a decoded frame; None where there is no such field."""
    if path is None:
        return lambda _: None
    if "." not in path:
        return lambda body: body.get(path)
    holder, _, inner = path.rpartition(".")
    hold = reader(holder)

    def read(body: Body) -> object:
        found = hold(body)
        return found.get(inner) if isinstance(found, dict) else None

    return read


def _expected(place: int, entry: str) -> Expected:
    name, suffix = re.fullmatch(r"(.+?)([?*+]?)", entry).groups()  # type: ignore[union-attr]  # the plan's check
    return Expected(
        name=name, place=place, required=suffix not in tuple(_OPTIONAL), repeated=suffix in tuple(_REPEATED)
    )
