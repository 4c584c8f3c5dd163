"""Share what several rooms' tests need, and keep what is heavy apart."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from browser import chromium as chromium
from lab import lab as lab
from small_plan import PLAN, WritePlan

HEAVY = ("e2e", "browser")


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put heavy tests into one group: `-n 3 --dist loadgroup` then runs them one at a time.

    A file that mostly waits, or that should have one worker for itself, names a group of its own; tests that
    share what is made once for their module are one, or every worker would make it.
    """
    if config.getoption("loadgroup", default=False):
        for item in items:
            if group := _group_of(item):
                _name_group(item, group)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what stays to the end: all modules and thousands of tests."""
    gc.collect()
    gc.freeze()


def _group_of(item: pytest.Item) -> str:
    if marker := item.get_closest_marker("xdist_group"):
        return str(marker.args[0])
    if any(item.get_closest_marker(name) for name in HEAVY):
        return "heavy"
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    return item.path.stem if any(defs[-1].scope == "module" for defs in fixtures) else ""


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
