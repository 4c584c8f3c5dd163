"""Make a contract ready for quick looks at answers: what every event holds, and what may come when."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from typing import Any, Literal

import msgspec

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import parse
from runbook_lib.agent.template import filled

_LONGEST_FOR_MSGSPEC = 1900
"""Longer frames may hold what `json` refuses and msgspec reads: thousands of digits, or of nested lists."""
_OPTIONAL: Any = object()
_PLACEHOLDER = re.compile(r"\{(content|agent|message_id)\}")


class Expectations:
    """A contract, made ready for any number of sessions.

    Attributes:
        last: The place of the event that ends an answer; `most`: frames that an answer has at most.
        next: For each place the types that may come then, with theirs; the last one is for no place yet.
        shared: Reads what all events of an answer say: the fields that are the same, and the run.
        of_session: Which of those name user and session, by their place in it.
        kind, message_id, sequence, reply_to, agent, answer_text: Read one thing of an event each; None where
            the plan names no such field.
    """

    def __init__(self, contract: Contract) -> None:
        plan = contract.protocol
        self.contract, self.most, self.last = contract, plan.most_frames, len(contract.expected) - 1
        self.next = [*map(self._next, range(self.last + 1)), self._next(-1)]
        same = tuple(name for name, _ in contract.same_fields)
        of_session = (plan.user_field, plan.session_field)
        self.of_session = tuple((name, place) for place, name in enumerate(same) if name in of_session)
        self.has_runs = plan.run_field is not None
        self.shared = _reader_of_all((*same, plan.run_field) if plan.run_field else same)
        self.names_messages = "{message_id}" in json.dumps(plan.message)
        self.kind, self.answer_text = _reader_of(plan.type_field), _reader_of(plan.answer_field)
        self.message_id, self.sequence, self.reply_to, self.agent = (
            _reader_of(path) if path else None
            for path in (plan.id_field, plan.sequence_field, plan.correlation_field, plan.agent_field)
        )
        self._message_parts = _parts_of(plan.message)
        self._event = _event_type(contract)
        self._decode = msgspec.json.Decoder(self._event).decode

    def decoded(self, frames: Sequence[str]) -> list[Any]:
        """Return the events in some frames.

        Raises:
            ValueError, RecursionError: If one of them holds none, or not all that an event has to hold.
        """
        if max(map(len, frames)) <= _LONGEST_FOR_MSGSPEC:
            return list(map(self._decode, frames))
        return [msgspec.convert(parse(frame), self._event) for frame in frames]

    def message(self, values: Mapping[str, str]) -> str | None:
        """Return the message that holds `values`, as JSON; None where the plan's is not that simple."""
        return _joined(self._message_parts, values) if self._message_parts else None

    def _next(self, furthest: int) -> dict[str, int]:
        """Return the places of what may come once that place was reached; -1: none was."""
        plan, expected = self.contract.protocol, self.contract.expected
        allowed = self.contract.next_after(
            {name for name, each in expected.items() if each.place <= furthest}
        )
        odd = (*plan.failure_events, *plan.other_events)
        return {name: expected[name].place for name in allowed if name not in odd}


def _event_type(contract: Contract) -> type[msgspec.Struct]:
    """Return the type of what each event of an answer holds, and may."""
    plan = contract.protocol
    texts = (plan.id_field, plan.run_field, *(name for name, _ in contract.same_fields))
    fields: dict[str | None, Any] = {
        **dict.fromkeys((plan.agent_field, plan.correlation_field, plan.answer_field), _OPTIONAL),
        **dict.fromkeys(plan.required_fields, Any),
        **dict.fromkeys(texts, str),
        plan.sequence_field: int,
        plan.type_field: Literal[tuple(contract.expected)],
    }
    return _object({path: kind for path, kind in fields.items() if path is not None})


def _object(fields: Mapping[str, Any]) -> type[msgspec.Struct]:
    """Return the type of a JSON object that has fields, each at its dotted path."""
    names = dict.fromkeys(path.partition(".")[0] for path in fields)
    members = [_member(name, fields) for name in names]
    return msgspec.defstruct(
        "Event", members, rename={_attribute(name): name for name in names}, kw_only=True, gc=False
    )


def _member(name: str, fields: Mapping[str, Any]) -> Any:
    """Return one field of an object: its attribute, its type, and its default where it may be absent."""
    inner = {path.partition(".")[2]: kind for path, kind in fields.items() if path.startswith(f"{name}.")}
    own = fields.get(name, _OPTIONAL)
    kind = _object(inner) if inner else Any if own is _OPTIONAL else own
    if any(each is not _OPTIONAL for each in (own, *inner.values())):
        return _attribute(name), kind
    return _attribute(name), kind, msgspec.field(default_factory=kind) if inner else None


def _attribute(path: str) -> str:
    """Return how what stands at a path is read of the decoded object: a field's name may be any text."""
    return ".".join(f"f{name.encode().hex()}" for name in path.split("."))


def _reader_of(path: str) -> Callable[[Any], Any]:
    return attrgetter(_attribute(path))


def _reader_of_all(paths: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what reads several paths at once."""
    if len(paths) > 1:
        return attrgetter(*map(_attribute, paths))
    reads = tuple(attrgetter(_attribute(path)) for path in paths)
    return lambda event: tuple(read(event) for read in reads)


def _parts_of(message: Any) -> tuple[str, ...]:
    """Return the plan's message as JSON, split at its placeholders; nothing where it is not that simple."""
    parts = tuple(_PLACEHOLDER.split(json.dumps(message)))
    trial = dict.fromkeys(("content", "agent", "message_id"), 'a "quoted" ü')
    return parts if _joined(parts, trial) == json.dumps(filled(message, **trial)) else ()


def _joined(parts: Sequence[str], values: Mapping[str, str]) -> str:
    """Fill the values in, as JSON writes them."""
    filled_in = list(parts)
    filled_in[1::2] = [encode_basestring_ascii(values[name])[1:-1] for name in parts[1::2]]
    return "".join(filled_in)
