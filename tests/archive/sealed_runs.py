"""Make small sealed runs without a cloud."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from runbook_lib.archive.manifest import seal

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


def sealed_run(outputs: Path, run_id: str, *, service: str = "chat", now: datetime = NOW) -> Path:
    """Return a run folder with a few files of each kind, sealed."""
    folder = outputs / run_id
    (folder / "evidence").mkdir(parents=True)
    (folder / "plan.yaml").write_text(f"issue: {{title: {run_id}}}\n")
    (folder / "evidence" / "deploy.json").write_text('{"ready": true}\n')
    (folder / "evidence" / "series.bin").write_bytes(bytes(range(64)))
    (folder / "report.html").write_text("<!doctype html><p>good</p>\n")
    seal(folder, service, now)
    return folder
