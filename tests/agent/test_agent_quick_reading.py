"""What is read quickly is read as `json` reads it, and what is as it should be is read no other way."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from two_looks import PROTOCOLS, STREAM, answer, quick, stream

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import Conversation
from runbook_lib.agent.expectations import Expectations
from runbook_lib.agent.quick import QuickConversation
from runbook_lib.plan import Protocol

NO_JSON = (
    "01", "1.", ".5", "-", "1e", "+1", "--1", "-01", "1_0", "0x1", "tru", "nul", "'a'", "1 2", "NaN",
    '"a', '"a\x01b"', '"\t"', '"\\q"', '"\\u12G4"', '"\\ud800"', "[1,]", "[1 2]", "[,]", "{1:2}", '{"a" 1}',
    "Infinity", '{"a":1,}', '{"a":1 "b":2}', "[\x0b]", "\u00a01", "]", "", '1, "type": "agent_completed"',
)  # fmt: skip


@pytest.mark.parametrize("text", NO_JSON)
@pytest.mark.parametrize("name", ["timestamp", "data", "unknown"])
def test_what_json_would_not_read_is_not_read_quickly_either(name: str, text: str) -> None:
    both = (Conversation(Contract(protocol=Protocol())), quick(Protocol()))
    said = []
    for each in both:
        each.send("hello", "triage")
        start, *others = answer(0, Protocol(), "")
        start[name] = {"agent": "odd"} if name == "data" else "odd"
        frames = [json.dumps(start).replace('"odd"', text), *map(json.dumps, others)]
        taken = each.feed_until_end(frames, at_s=0.1)
        said.append((taken, each.answer(None if each.ended else "closed", "gone")))
    assert said[0] == said[1]


def test_both_say_the_same_of_a_user_who_is_named_late() -> None:
    both = (Conversation(Contract(protocol=Protocol())), quick(Protocol()))
    told = []
    for each in both:
        for turn, user in enumerate((None, "u1", "u1", "u2")):
            each.send("hello", "triage")
            for event in answer(turn, Protocol(), ""):
                each.feed(json.dumps(event | {"user_id": user}))
            told.append((each.answer(), each.user_id))
    assert told[:4] == told[4:]
    assert [found.foreign_ids for found, _ in told[:4]] == [(), (), (), ("u2",)]


def test_both_say_the_same_of_a_plan_that_reads_the_type_as_an_object() -> None:
    protocol = Protocol(agent_field="type.agent")
    both = (Conversation(Contract(protocol=protocol)), quick(protocol))
    told = []
    for each in both:
        each.send("hello", "triage")
        each.feed(json.dumps(answer(0, protocol, "")[0] | {"type": {"agent": []}}))
        told.append(each.answer("closed", "gone"))
    assert told[0] == told[1]
    assert told[0].violations[0] == "frame 1 has no type"


def test_lists_that_are_too_deep_for_where_we_stand_are_no_json_to_both() -> None:
    both = (Conversation(Contract(protocol=Protocol())), quick(Protocol()))
    told = []
    for each in both:
        each.send("hello", "triage")
        start = answer(0, Protocol(), "")[0]
        frame = json.dumps(start | {"in it": "odd"}).replace('"odd"', "[" * 800 + "]" * 800)
        _further_down(300, lambda frame=frame, each=each: each.feed(frame))
        told.append(each.answer("closed", "gone"))
    assert told[0] == told[1]
    assert told[0].violations[0] == "frame 1 is not a JSON object"


def _further_down(depth: int, act: Callable[[], None]) -> None:
    if depth:
        _further_down(depth - 1, act)
    else:
        act()


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_an_answer_as_it_should_be_needs_no_long_look(protocol: Protocol) -> None:
    contract = Contract(protocol=protocol.model_copy(update={"failure_events": ()}))
    conversation = _NeverAtLength(Expectations(contract))
    for turn in range(3):
        conversation.send("hello", "triage")
        for event in answer(turn, protocol, conversation.sent_id()):
            conversation.feed(json.dumps(event))
        found = conversation.answer()
        assert (found.status, found.violations, len(found.events)) == ("answered", (), len(protocol.events))


def test_a_long_stream_as_it_should_be_needs_no_long_look() -> None:
    conversation = _NeverAtLength(Expectations(Contract(protocol=STREAM)))
    conversation.send("hello", "triage")
    for event in stream(conversation.sent_id(), slice(0), {}):
        conversation.feed(json.dumps(event))
    assert (conversation.answer().violations, conversation.ended) == ((), True)


class _NeverAtLength(QuickConversation):
    """Fails where a long look is taken."""

    def _at_length(self) -> None:
        assert self._quick is None

    def sent_id(self) -> str:
        assert self._quick
        return self._quick.sent_id


def test_a_message_with_a_placeholder_in_a_key_is_sent_as_the_plan_says() -> None:
    contract = Contract(protocol=Protocol(message={"{content}": ["{agent}", "{other}"]}))
    sent = QuickConversation(Expectations(contract)).send("x", "triage")
    assert json.loads(sent) == {"{content}": ["triage", "{other}"]}
