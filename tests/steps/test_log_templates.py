"""Messages that one statement of a program wrote have one template, whatever their variables."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

import pytest
from labelled_lines import KINDS, lines

from runbook_lib.gcp import log_sql
from runbook_lib.steps.log_templates import head, masked, stack_of, templates


def in_the_right_group(labelled: Sequence[tuple[str, str]], template_of: Callable[[str], str]) -> float:
    """Return the share of lines whose template has all lines of their kind and no other."""
    by_kind, by_template = defaultdict(set), defaultdict(set)
    for number, (kind, line) in enumerate(labelled):
        by_kind[kind].add(number)
        by_template[template_of(line)].add(number)
    groups = list(by_template.values())
    return sum(len(group) for group in by_kind.values() if group in groups) / len(labelled)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_lines_of_sixty_kinds_are_in_the_right_group(seed: int) -> None:
    labelled = lines(3000, seed)
    found = templates(line for _, line in labelled)

    assert len({kind for kind, _ in labelled}) == len(KINDS) == 60
    assert in_the_right_group(labelled, found.__getitem__) >= 0.95
    assert in_the_right_group(labelled, str) < 0.2  # the measure itself can fail


@pytest.mark.parametrize(("seed", "count"), [(4, 3000), (5, 1000), (6, 300)])
def test_two_halves_of_one_log_hardly_differ(seed: int, count: int) -> None:
    labelled = lines(2 * count, seed)
    found = templates(line for _, line in labelled)
    before, after = labelled[:count], labelled[count:]
    known_kinds = {kind for kind, _ in before}
    known = {found[line] for _, line in before}

    false_news = [line for kind, line in after if kind in known_kinds and found[line] not in known]
    assert len(false_news) <= 0.02 * count


def test_the_order_of_the_messages_does_not_matter() -> None:
    messages = [line for _, line in lines(500, 7)]
    assert templates(messages) == templates(reversed(messages))


@pytest.mark.parametrize(
    ("message", "template"),
    [
        ("session 5f3a of user-17 answered in 513.8 ms", "session <*> of <*> answered in <*> ms"),
        ("can't reach 10.0.0.7:8080, won't retry", "can't reach <*>, won't retry"),
        ('wrote {"a": [1, 2]} to /tmp/x/y.json', "wrote <*> to <*>"),
        ("at 2026-05-05T10:00:00.5Z and 2026-05-05 10:00:00,123", "at <*> and <*>"),
        ("ready: backend-00042-kem", "ready: <*>"),
        ("state=failed user=alice", "state=failed user=alice"),
        ("", ""),
        ("\n\n", ""),
    ],
)
def test_ids_times_numbers_and_paths_are_taken_out(message: str, template: str) -> None:
    assert masked(message) == template


def test_names_that_differ_by_nature_are_taken_out() -> None:
    assert masked("Ready for Revision kem.", ["kem"]) == "Ready for Revision <*>."


def test_a_word_is_a_value_only_where_there_are_many() -> None:
    four = [f"user {name} logged in" for name in ("alice", "bob", "carol", "dave")]
    assert set(templates(four).values()) == {"user <*> logged in"}
    three = [f"circuit of db is {state}" for state in ("open", "closed", "broken")]
    assert len(set(templates(three).values())) == 3


def test_two_words_that_both_are_values_leave_one_template() -> None:
    names, agents = ("ann", "bob", "cid", "dan", "eve", "fay"), ("triage", "data", "billing", "support")
    messages = [
        f"agent {agent} started for {name}" for agent in agents for name in names[: 2 + len(agent) // 2]
    ]
    messages.append("agent research started for judy")  # shares no word with any other
    assert set(templates(messages).values()) == {"agent <*> started for <*>"}


def test_a_traceback_is_told_by_what_was_raised_and_folded() -> None:
    text = 'no answer\nTraceback (most recent call last):\n  File "x.py", line 3\nValueError: bad 7'
    assert head(text) == "no answer ValueError: bad 7"
    assert masked(text) == "no answer ValueError: bad <*>"
    assert stack_of(text).startswith("Traceback")
    assert stack_of("one line") == ""


def test_a_megabyte_is_no_burden() -> None:
    assert len(masked("x" * 2**20)) <= 400
    assert masked("{" * 2**20) == "{" * 400


def test_lines_that_bigquery_takes_for_one_kind_are_of_one_template() -> None:
    labelled = [line for _, line in lines(3000, 11)]
    template_of = templates(labelled)
    found = defaultdict(set)
    for line in labelled:
        first = re.search(log_sql.FIRST_LINE, line)
        raised = re.search(log_sql.RAISED, line) if "Traceback (most" in line else None
        parts = [re.sub(log_sql.VARIABLE, "<*>", part[1]) if part else "" for part in (first, raised)]
        found[tuple(parts)].add(template_of[line])

    assert [found for found in found.values() if len(found) > 1] == []
    assert len(found) < 500
