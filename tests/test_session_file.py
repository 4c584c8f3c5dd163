"""The table of a load's sessions grows on the disk and is there whole or not at all."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_plan import WritePlan

from runbook_lib.evidence import EventSeen, Session
from runbook_lib.evidence.session_table import session_table
from runbook_lib.plan.file import load_plan
from runbook_lib.run_folder import RunFolder

EVENTS = (EventSeen(type="agent_started", at_s=0.1), EventSeen(type="agent_completed", at_s=0.5, sequence=2))
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MTUwIn0.c2lnbmF0dXJl"  # noqa: S105 - a made-up one


@pytest.fixture
def folder(tmp_path: Path, plan_file: WritePlan) -> RunFolder:
    return RunFolder.create(tmp_path / "outputs", "run-1", load_plan(plan_file()))


def bare(number: int) -> Session:
    """Return a session that never came to anything."""
    return Session(
        probe="load", role="candidate", number=number, user="u", agent="triage", mark=f"m{number}",
        status="handshake_rejected",
    )  # fmt: skip


def full(number: int) -> Session:
    """Return a session of which every column has something."""
    more = {"connect_s": 0.1, "answer_s": 0.5, "session_id": "s", "user_id": "u", "revision": "r"}
    came = {
        "foreign_marks": ("m",),
        "foreign_ids": ("i",),
        "violations": ("v",),
        "events": EVENTS,
        "detail": "d",
    }
    return replace(bare(number), **more | came)


def hidden(folder: RunFolder) -> list[str]:
    return [path.name for path in folder.path.rglob(".*")]


def test_waves_of_bare_and_of_full_sessions_make_the_table_that_all_of_them_make(folder: RunFolder) -> None:
    sessions = [*map(bare, range(3)), *map(full, range(3, 8)), bare(8)]
    with folder.keep_sessions("load_sessions") as kept:
        for wave in (sessions[:3], [], sessions[3:8], sessions[8:]):
            kept.add(wave)
        assert folder.find_table("load_sessions") is None
    whole = io.BytesIO()
    session_table(sessions).to_parquet(whole, index=False)
    found = folder.find_table("load_sessions")
    assert found is not None
    pd.testing.assert_frame_equal(found, pd.read_parquet(whole))
    file = folder.path / "evidence" / "load_sessions.parquet"
    assert pq.read_table(file).schema.remove_metadata() == pq.read_schema(whole).remove_metadata()
    assert pq.read_metadata(file).num_row_groups == 3
    assert hidden(folder) == []


def test_a_wave_that_began_later_is_on_the_clock_of_the_load(folder: RunFolder) -> None:
    with folder.keep_sessions("load_sessions") as kept:
        for after_s in (0.0, 12.5):
            kept.add([bare(0), replace(bare(1), intended_s=0.5)], after_s)
    found = folder.find_table("load_sessions", ["intended_s"])
    assert found is not None
    assert list(found["intended_s"]) == [0, 0.5, 12.5, 13]


def test_a_table_without_a_session_has_the_same_types(folder: RunFolder) -> None:
    with folder.keep_sessions("none"):
        pass
    with folder.keep_sessions("one") as kept:
        kept.add([full(0)])
    schemas = [pq.read_schema(folder.path / "evidence" / f"{name}.parquet") for name in ("none", "one")]
    assert schemas[0].remove_metadata() == schemas[1].remove_metadata()


def test_secrets_are_masked_and_rows_are_read_back_in_any_wave(folder: RunFolder) -> None:
    with folder.keep_sessions("load_sessions") as kept:
        kept.add([bare(0), replace(full(1), foreign_ids=(TOKEN, "i"), detail=TOKEN)])
        kept.add([full(2), bare(3)])
        found = kept.at({3, 1})
    masked = replace(full(1), foreign_ids=("[redacted]", "i"), detail="[redacted]")
    assert found == {1: masked, 3: bare(3)}
    assert TOKEN.encode() not in (folder.path / "evidence" / "load_sessions.parquet").read_bytes()


def test_a_step_that_breaks_off_leaves_the_old_table_and_its_own_error(folder: RunFolder) -> None:
    with folder.keep_sessions("load_sessions") as kept:
        kept.add([bare(0)])
    error = ConnectionResetError("the service is gone")
    with pytest.raises(ConnectionResetError) as raised:
        _break_off(folder, error)
    assert raised.value is error
    found = folder.find_table("load_sessions")
    assert found is not None
    assert list(found["number"]) == [0]
    assert hidden(folder) == []


def _break_off(folder: RunFolder, error: Exception) -> None:
    with folder.keep_sessions("load_sessions") as kept:
        kept.add([full(1), full(2)])
        raise error


FULL = """
import resource, signal, sys
from pathlib import Path
from runbook_lib.errors import CannotRecord
from runbook_lib.evidence import Session
from runbook_lib.run_folder import RunFolder

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
sessions = [
    Session(probe="load", role="candidate", number=number, user=f"u{number}", agent="a", mark=f"m{number}",
            status="answered")
    for number in range(2_000)
]
waves = 0
try:
    with RunFolder(Path(sys.argv[1])).keep_sessions("load_sessions") as kept:
        for _ in range(10):
            kept.add(sessions)
            waves += 1
except CannotRecord as error:
    print(waves < 10, error)
"""


def on_a_disk_of(size: int, folder: RunFolder) -> tuple[str, str]:
    command = [sys.executable, "-c", FULL, str(folder.path), str(size)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return ended.stdout, ended.stderr


def test_a_full_disk_is_an_error_in_a_wave_or_at_the_end_and_leaves_nothing(folder: RunFolder) -> None:
    assert on_a_disk_of(10**9, folder) == ("", "")
    file = folder.path / "evidence" / "load_sessions.parquet"
    size = file.stat().st_size
    file.unlink()
    advice = "cannot be written (File too large): free the disk or fix its rights, then go on"
    for room, early in ((size // 3, True), (size - 100, False)):
        assert on_a_disk_of(room, folder) == (f"{early} {file} {advice}\n", "")
        assert not file.exists()
        assert hidden(folder) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from runbook_lib.evidence import Session
from runbook_lib.run_folder import RunFolder

bare = Session(probe="load", role="candidate", number=0, user="u", agent="a", mark="m", status="answered")
with RunFolder(Path(sys.argv[1])).keep_sessions("load_sessions") as kept:
    kept.add([bare])
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("again", [False, True])
def test_what_a_killed_process_has_left_is_removed_by_a_sweep_or_when_its_step_is_done_again(
    folder: RunFolder, again: bool
) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(folder.path)], check=False, timeout=60)
    assert len(hidden(folder)) == 1
    if again:
        with folder.keep_sessions("load_sessions"):
            assert len(hidden(folder)) == 1
    else:
        folder.sweep()
    assert hidden(folder) == []
    assert (folder.find_table("load_sessions") is not None) == again
