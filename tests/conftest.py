"""Share what several rooms' tests need, and keep what is heavy apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import chromium as chromium
from lab import lab as lab
from small_plan import PLAN, WritePlan

HEAVY = ("e2e", "browser")


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put heavy tests into one group: `-n 3 --dist loadgroup` then runs them one at a time.

    A file that mostly waits, or that should have one worker for itself, names a group of its own.
    """
    grouping = config.getoption("loadgroup", default=False)
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if group is None and any(item.get_closest_marker(name) for name in HEAVY):
            group = pytest.mark.xdist_group("heavy").mark
        if group and grouping:
            _name_group(item, str(group.args[0]))


def _name_group(item: pytest.Item, group: str) -> None:
    """Write the group into the test's id, where xdist 3.8 tries to and with pytest 9.2 does not."""
    if hasattr(item, "_id"):
        item._id = type(item._id).parse(f"{item.nodeid}@{group}")


@pytest.fixture
def plan_file(tmp_path: Path) -> WritePlan:
    """Give a function that writes a plan file (the smallest plan unless told) and returns its path."""

    def write(text: str = PLAN, name: str = "plan.yaml") -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return write
