"""The reports of a run are written whole, side by side, into its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import report_records as records

from runbook_lib.report import write_reports


@pytest.mark.parametrize("make", [records.good, records.failing, records.empty, records.hostile])
def test_three_files_and_nothing_else_are_left(make: object, tmp_path: Path) -> None:
    written = write_reports(make(), tmp_path)  # type: ignore[operator]
    assert [path.name for path in written] == ["report.html", "report.md", "junit.xml"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["junit.xml", "report.html", "report.md"]
    assert all(path.read_text(encoding="utf-8").strip() for path in written)


def test_a_second_report_replaces_the_first(tmp_path: Path) -> None:
    write_reports(records.good(), tmp_path)
    write_reports(records.failing(), tmp_path)
    assert "ROLLBACK" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert len(list(tmp_path.iterdir())) == 3
