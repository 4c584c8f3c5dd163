"""The README's performance table is what was measured, and says how to measure it again."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks.results import README, ROOT, Result, load, record, table, with_section

FAST = Result(
    name="starts",
    ratio=2.5,
    goal=2,
    higher_is_better=True,
    peer="papermill",
    peer_version="2.7",
    runs=5,
    command=".venv/bin/python benchmarks/bench_starts.py",
    ours="4 s",
    theirs="10 s",
    machine="2 cores",
)
PLACE = "<!-- performance: written by `make bench` -->\n<!-- end of performance -->\n"
KEYS = {"name", "ratio", "goal", "higher_is_better", "peer", "peer_version", "runs", "command"}


def test_the_readmes_performance_section_is_what_was_measured() -> None:
    text = README.read_text("utf-8")
    assert with_section(text, load()) == text


def test_every_figure_names_its_peer_its_runs_and_a_command_that_exists() -> None:
    for result in load():
        assert asdict(result).keys() >= KEYS
        assert result.name
        assert result.peer
        assert result.peer_version
        assert result.runs > 0
        python, script = result.command.split()[:2]
        assert python == ".venv/bin/python"
        assert (ROOT / script).is_file()


@pytest.mark.parametrize(
    ("ratio", "goal", "higher", "kept", "bound"),
    [
        (2.0, 2, True, True, "≥ 2"),
        (1.99, 2, True, False, "≥ 2"),
        (0.125, 0.125, False, True, "≤ 0.125"),
        (0.126, 0.125, False, False, "≤ 0.125"),
        (9.0, None, False, True, "–"),
    ],
)
def test_a_goal_is_kept_at_its_bound(
    ratio: float, goal: float | None, higher: bool, kept: bool, bound: str
) -> None:
    result = replace(FAST, ratio=ratio, goal=goal, higher_is_better=higher)
    assert (result.kept, result.bound) == (kept, bound)


def test_what_a_command_gave_before_is_replaced_and_other_commands_figures_stay(tmp_path: Path) -> None:
    file, readme = tmp_path / "results.json", tmp_path / "README.md"
    readme.write_text(f"before\n{PLACE}after\n", encoding="utf-8")
    other = replace(FAST, name="stops", command=".venv/bin/python benchmarks/bench_stops.py")
    record([FAST, replace(FAST, name="gone")], file, readme)
    record([other], file, readme)
    record([replace(FAST, ratio=1.5)], file, readme)
    assert load(file) == [replace(FAST, ratio=1.5), other]
    text = readme.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| starts | papermill 2.7 | **1.5** (missed) | ≥ 2 | 4 s | 10 s | 5 |" in text
    assert with_section(text, load(file)) == text


def test_a_missed_goal_is_seen_on_the_terminal() -> None:
    assert "MISSED" not in table([FAST])
    assert "MISSED" in table([replace(FAST, ratio=1.9)])


def test_a_readme_without_a_place_for_the_figures_is_refused() -> None:
    with pytest.raises(ValueError, match=r"README\.md has no `<!-- performance … -->`"):
        with_section("nothing", [])
