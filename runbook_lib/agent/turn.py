"""Follow one answer event by event and say what is wrong with it; does no I/O."""

from __future__ import annotations

from collections.abc import Callable

from runbook_lib.agent.contract import Body, Contract
from runbook_lib.dotted import at_path
from runbook_lib.evidence import EventSeen
from runbook_lib.ports import AnswerStatus

LONGEST_WORD = 200
_LARGEST_SEQUENCE = 2**31

Clean = Callable[[str], str]


class Turn:
    """The answer to one message.

    Args:
        contract: What is expected.
        known: What is known of the session, by field, e.g. its user; every event must say the same. What the
            events are the first to say of user and session is added.
        earlier_ids: Message ids that were used before.
        clean: Takes secrets out of text before it is kept.

    Attributes:
        foreign_ids: Users and sessions other than this one, as events named them.
        agent: The kind of agent that the events name; empty where they name none.
    """

    def __init__(
        self, contract: Contract, known: dict[str, object], earlier_ids: set[str], clean: Clean
    ) -> None:
        self._contract, self._known, self._ids, self._clean = contract, known, earlier_ids, clean
        self._same: dict[str, object] = {}
        self._seen: dict[str, None] = {}
        self._sequence = 0
        self.events: list[EventSeen] = []
        self.violations: list[str] = []
        self.foreign_ids: dict[str, None] = {}
        self.agent = ""
        self.status: AnswerStatus | None = None
        self.answer_s: float | None = None
        self.detail = ""

    def stop(self, status: AnswerStatus, detail: str = "") -> None:
        """End it, unless it has ended."""
        if self.status is None:
            self.status, self.detail = status, detail
            if status == "protocol_violation":
                self.violations.append(detail)

    def take(self, kind: str, body: Body, at_s: float) -> None:
        """Take the next event, which arrived `at_s` seconds after the message was sent."""
        protocol = self._contract.protocol
        if kind in protocol.other_events:
            return
        name = kind if kind in self._contract.names else word(kind, self._clean)
        sequence = self._sequence_of(body)
        if kind in protocol.failure_events:
            self.stop("agent_error", _failure(body))
        else:
            self._check(name, body, sequence)
        self.events.append(EventSeen(type=name, at_s=at_s, sequence=sequence))
        if kind == self._contract.final:
            self._finish(name, body, at_s)

    def missing(self) -> list[str]:
        """Return a sentence for each event that did not come; none where the rest was not to be expected."""
        if self.status in ("agent_error", "protocol_violation"):
            return []
        return [
            f"{name} is missing" for name in self._contract.protocol.required_events if name not in self._seen
        ]

    def expected_next(self) -> tuple[str, ...]:
        """Return what may come next; nothing after the end."""
        return () if self.status else self._contract.next_after(set(self._seen))

    def _check(self, name: str, body: Body, sequence: int | None) -> None:
        self._check_order(name)
        self._check_fields(name, body)
        self._check_message_id(name, body)
        self._check_agent(body)
        self._check_sequence(name, body, sequence)

    def _check_order(self, name: str) -> None:
        expected = self._contract.expected
        this = expected.get(name)
        if this is None:
            self.violations.append(f"{name} is an unknown type")
        elif name in self._seen and not this.repeated:
            self.violations.append(f"{name} came twice")
        elif later := next((kind for kind in self._seen if expected[kind].place > this.place), None):
            self.violations.append(f"{name} came after {later}")
        if this is not None:
            self._seen[name] = None

    def _check_fields(self, name: str, body: Body) -> None:
        for field, read in self._contract.required_fields:
            if read(body) is None and _absent(body, field):
                self.violations.append(f"{name} has no {field}")
        holder = self._contract.protocol.answer_field.partition(".")[0]
        if holder in self._contract.protocol.required_fields and not isinstance(body.get(holder, {}), dict):
            self.violations.append(f"{holder} of {name} is not an object")
        for field, read in self._contract.same_fields:
            value = read(body)
            if value is not None and self._first(field, value) != value:
                self._differs(name, field, value)

    def _first(self, field: str, value: object) -> object:
        protocol = self._contract.protocol
        of_session = field in (protocol.user_field, protocol.session_field)
        return (self._known if of_session else self._same).setdefault(field, value)

    def _differs(self, name: str, field: str, value: object) -> None:
        self.violations.append(f"{field} of {name} differs from the one before")
        if field in self._known:
            self.foreign_ids[word(value, self._clean)] = None

    def _check_message_id(self, name: str, body: Body) -> None:
        message_id = self._contract.read.message_id(body)
        if isinstance(message_id, str):
            if message_id in self._ids:
                self.violations.append(f"{self._contract.protocol.id_field} of {name} was used before")
            self._ids.add(message_id)

    def _check_agent(self, body: Body) -> None:
        found = self._contract.read.agent(body)
        if isinstance(found, str) and not self.agent:
            self.agent = word(found, self._clean)

    def _sequence_of(self, body: Body) -> int | None:
        value = self._contract.read.sequence(body)
        whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_SEQUENCE
        return value if whole else None  # type: ignore[return-value]  # `whole` has narrowed it

    def _check_sequence(self, name: str, body: Body, sequence: int | None) -> None:
        field = self._contract.protocol.sequence_field
        if field is None or _absent(body, field):
            return
        if sequence is None:
            self.violations.append(f"{field} of {name} is not a whole number")
            return
        if sequence != self._sequence + 1:
            self.violations.append(f"{field} of {name} is {sequence} after {self._sequence}")
        self._sequence = sequence

    def _finish(self, name: str, body: Body, at_s: float) -> None:
        field = self._contract.protocol.answer_field
        if not isinstance(at_path(body, field), str):
            self.violations.append(f"{name} has no text in {field}")
        if self.status is None:
            self.answer_s = at_s
        self.stop("answered")


def word(value: object, clean: Clean) -> str:
    """Return foreign text, clean and short, without the lone surrogates that JSON may hold and no file can.

    Cut only once it is clean: half a secret is not recognised as one.
    """
    text = str(value)
    return clean(text if text.isascii() else text.encode(errors="replace").decode())[:LONGEST_WORD]


def _absent(body: Body, path: str) -> bool:
    """Say whether nothing stands at a path; a null stands there."""
    *parents, last = path.split(".")
    holder = at_path(body, ".".join(parents)) if parents else body
    return not isinstance(holder, dict) or last not in holder


def _failure(body: Body) -> str:
    words = (at_path(body, "data.code"), at_path(body, "data.message"))
    return ": ".join(str(word) for word in words if word) or "the agent failed without a word"
