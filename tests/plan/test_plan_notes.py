"""A good plan that does what its author may not expect is remarked upon."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_plan import PLAN, WritePlan

from runbook_lib.plan.file import load_plan
from runbook_lib.plan.notes import notes_on

SEED = Path(__file__).parents[2] / "notebooks" / "plans" / "issue-891.yaml"


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("", ()),
        ("suites: {e2e: {command: [python, tests/run.py, -v]}}\n", ()),
        ("suites: {e2e: {pytest: ['tests/a.py::test_b']}}\n", ()),
        ("suites: {e2e: {command: [python, 'tests/a.py::test_b', -v]}}\n",
         ("suites.e2e: Python cannot run `tests/a.py::test_b`; "
          "it is run as `python -m pytest tests/a.py::test_b -v`",)),
        ("suites: {e2e: {command: [make], must_reach_candidate: false}}\n",
         ("suites.e2e: its passes are believed without any request in the candidate's log",)),
        ("rollout: {strategy: direct}\n",
         ("rollout.strategy: direct gives the candidate all traffic before it is judged",)),
    ],
)  # fmt: skip
def test_the_notes_of_a_plan_are_exact(plan_file: WritePlan, added: str, expected: tuple[str, ...]) -> None:
    assert notes_on(load_plan(plan_file(PLAN + added))) == expected


def test_the_three_commands_of_the_seed_that_python_cannot_run_are_noted() -> None:
    notes = notes_on(load_plan(SEED))
    assert [note.partition(":")[0] for note in notes] == [
        "suites.golden-path", "suites.agent-registry", "suites.concurrent-users"
    ]  # fmt: skip
