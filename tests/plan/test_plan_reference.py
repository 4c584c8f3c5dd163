"""The plan's reference is what the models say."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.plan.reference import render

PAGE = Path(__file__).parents[2] / "docs" / "plan.md"


def test_the_reference_is_in_step_with_the_models() -> None:
    again = "run: python -m runbook_lib.plan.reference docs/plan.md"
    assert PAGE.read_text(encoding="utf-8") == render(), again


def test_every_field_says_what_it_means_or_needs_no_words() -> None:
    rows = [line for line in render().splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    assert "| `at_most_ratio` | number or null | none | Candidate divided by baseline. |" in rows
