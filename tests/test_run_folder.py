"""A run's files are whole or not there, and a file that is neither is named with what is wrong in it."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from small_plan import WritePlan

from runbook_lib.disk import write_atomically
from runbook_lib.errors import CorruptEvidence, MissingEvidence, PlanError, RunbookError
from runbook_lib.evidence import Measurement, MetricsEvidence, Window
from runbook_lib.plan import Plan
from runbook_lib.plan.file import load_plan
from runbook_lib.run_folder import LedgerEntry, RunFolder

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW = Window(start=NOON, end=NOON)


@pytest.fixture
def plan(plan_file: WritePlan) -> Plan:
    return load_plan(plan_file())


@pytest.fixture
def folder(tmp_path: Path, plan: Plan) -> RunFolder:
    return RunFolder.create(tmp_path / "outputs", "run-1", plan)


def evidence(value: float | None = 1.5) -> MetricsEvidence:
    measured = Measurement(
        metric="load.failures", role="candidate", unit="sessions", value=value, samples=3, window=WINDOW
    )
    return MetricsEvidence(window=WINDOW, measurements=(measured,), sessions={"candidate": 3})


def entry(detail: str) -> LedgerEntry:
    return LedgerEntry(time=NOON, event="act done", detail=detail)


def hidden(folder: Path) -> list[str]:
    """Return the names of the temporary files that were left behind."""
    return [path.name for path in folder.rglob(".*")]


def test_a_new_run_folder_is_named_by_its_run_and_holds_its_plan(folder: RunFolder, plan: Plan) -> None:
    assert folder.run_id == "run-1"
    assert RunFolder.open(folder.path).plan() == plan


def test_a_run_never_moves_into_the_folder_of_another(folder: RunFolder, plan: Plan) -> None:
    with pytest.raises(RunbookError) as caught:
        RunFolder.create(folder.path.parent, "run-1", plan)
    assert str(caught.value) == (
        f"{folder.path} cannot be made (File exists): give another report.folder"
    )  # fmt: skip


def test_a_file_in_the_way_of_the_outputs_is_an_error_that_names_it(tmp_path: Path, plan: Plan) -> None:
    (tmp_path / "outputs").write_text("")
    with pytest.raises(RunbookError) as caught:
        RunFolder.create(tmp_path / "outputs", "run-1", plan)
    assert str(caught.value) == (
        f"{tmp_path}/outputs/run-1 cannot be made (Not a directory): give another report.folder"
    )


def test_a_folder_without_a_plan_is_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as caught:
        RunFolder.open(tmp_path)
    assert str(caught.value) == f"run: {tmp_path} is no run folder: it has no plan.yaml"


def test_evidence_is_read_back_equal(folder: RunFolder) -> None:
    for value in (1.5, 0.1 + 0.2, None):
        folder.write_evidence("metrics", evidence(value))
        assert folder.read_evidence("metrics", MetricsEvidence) == evidence(value)


def test_evidence_that_was_never_written_is_missing_and_can_be_asked_for(folder: RunFolder) -> None:
    assert not folder.has_evidence("metrics")
    assert folder.find_evidence("metrics", MetricsEvidence) is None
    assert folder.find_record("verdict.json", MetricsEvidence) is None
    assert folder.find_table("series") is None
    with pytest.raises(MissingEvidence) as caught:
        folder.read_evidence("metrics", MetricsEvidence)
    assert str(caught.value) == f"{folder.path}/evidence/metrics.json is missing: run its step first"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"samples": 3', '"samples": "x"', "measurements.0.samples: Input should be a valid integer, "
         "unable to parse string as an integer"),
        ('"valid"', '"vaild"', "vaild: Extra inputs are not permitted"),
        ('"candidate",', '"canary",', "measurements.0.role: Input should be 'candidate' or 'baseline'"),
        ('"value": 1.5', '"value": NaN', "measurements.0.value: Input should be a finite number"),
        ('"value": 1.5,', "", "measurements.0.value: Field required"),
    ],
)  # fmt: skip
def test_evidence_that_was_changed_is_named_with_its_file_and_field(
    folder: RunFolder, old: str, new: str, expected: str
) -> None:
    folder.write_evidence("metrics", evidence())
    file = folder.path / "evidence" / "metrics.json"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(CorruptEvidence) as caught:
        folder.find_evidence("metrics", MetricsEvidence)
    assert str(caught.value) == f"{file}: {expected}: run its step again"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_evidence_that_is_no_record_at_all_is_corrupt(folder: RunFolder, content: bytes) -> None:
    file = folder.path / "evidence" / "metrics.json"
    file.write_bytes(content)
    with pytest.raises(CorruptEvidence) as caught:
        folder.read_evidence("metrics", MetricsEvidence)
    assert str(caught.value).startswith(f"{file}: the file: ")


def test_a_table_is_read_back_and_a_broken_one_is_corrupt(folder: RunFolder) -> None:
    table = pd.DataFrame({"time": [NOON], "value": [1.5], "label": ["5xx"]})
    folder.write_table("series", table)
    found = folder.find_table("series")
    assert found is not None
    assert found.to_dict("records") == table.to_dict("records")
    file = folder.path / "evidence" / "series.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(CorruptEvidence) as caught:
        folder.find_table("series")
    assert str(caught.value).startswith(f"{file} is no Parquet file: run the step again (")


def test_the_ledger_gives_back_every_entry_in_order(folder: RunFolder) -> None:
    assert folder.ledger() == ()
    for number in range(5):
        folder.record(entry(f"line {number}\nand ü"))
    assert [each.detail for each in folder.ledger()] == [f"line {number}\nand ü" for number in range(5)]


def test_a_last_line_that_was_cut_off_is_left_out_and_the_next_one_does_not_join_it(
    folder: RunFolder,
) -> None:
    folder.record(entry("one"))
    with (folder.path / "ledger.jsonl").open("ab") as ledger:
        ledger.write(b'{"time":"2026-03-01T12:')
    assert [each.detail for each in folder.ledger()] == ["one"]
    folder.record(entry("two"))
    assert [each.detail for each in folder.ledger()] == ["one", "two"]


@pytest.mark.parametrize("line", [b"", b"{", b'{"time": "2026-03-01T12:00:00Z", "event": "nap"}', b"\xff"])
def test_a_broken_line_in_the_middle_is_corrupt_and_named_by_its_number(
    folder: RunFolder, line: bytes
) -> None:
    folder.record(entry("one"))
    file = folder.path / "ledger.jsonl"
    file.write_bytes(file.read_bytes() + line + b"\n" + file.read_bytes())
    with pytest.raises(CorruptEvidence) as caught:
        folder.ledger()
    assert str(caught.value).startswith(f"{file}:2 is no ledger entry: ")


def test_a_reader_sees_the_old_content_or_the_new_and_never_a_part(tmp_path: Path) -> None:
    file, contents = tmp_path / "file", (b"a" * 300_000, b"b" * 500_000)
    write_atomically(file, contents[0])
    done, seen, torn = threading.Event(), set(), []

    def read() -> None:
        while not done.is_set():
            content = file.read_bytes()
            seen.add(content[:1])
            if content not in contents:
                torn.append(len(content))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(150):
        write_atomically(file, contents[number % 2])
    done.set()
    reader.join(30)
    assert torn == []
    assert seen
    assert hidden(tmp_path) == []


# Root may write anywhere; what it cannot pass is the limit on a file's size, which a full disk resembles:
# the write begins and breaks off half-way.
FULL = """
import resource, signal, sys
from pathlib import Path
from datetime import UTC, datetime
from runbook_lib.errors import RunbookError
from runbook_lib.run_folder import LedgerEntry, RunFolder

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
folder = RunFolder(Path(sys.argv[1]))
for act in (
    lambda: folder.write_text("report.md", "y" * 100_000),
    lambda: folder.record(LedgerEntry(time=datetime.now(UTC), event="act done", detail="z" * 100_000)),
):
    try:
        act()
    except RunbookError as error:
        print(error)
folder.record(LedgerEntry(time=datetime.now(UTC), event="run ended"))
"""


def test_a_full_disk_is_an_error_and_leaves_the_old_file_and_the_ledger_whole(folder: RunFolder) -> None:
    folder.write_text("report.md", "old\n")
    folder.record(entry("one"))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    ended = subprocess.run(
        [sys.executable, "-c", FULL, str(folder.path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    advice = "cannot be written (File too large): free the disk or fix its rights, then go on"
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        f"{folder.path}/report.md {advice}", f"{folder.path}/ledger.jsonl {advice}"
    ]  # fmt: skip
    assert (folder.path / "report.md").read_text() == "old\n"
    assert [each.event for each in folder.ledger()] == ["act done", "run ended"]
    assert hidden(folder.path) == []


def test_a_folder_that_is_gone_is_an_error_that_names_the_file(folder: RunFolder) -> None:
    gone = RunFolder(folder.path / "gone")
    advice = "cannot be written (No such file or directory): free the disk or fix its rights, then go on"
    with pytest.raises(RunbookError) as caught:
        gone.write_text("report.md", "x")
    assert str(caught.value) == f"{gone.path}/report.md {advice}"
    with pytest.raises(RunbookError) as caught:
        gone.record(entry("one"))
    assert str(caught.value) == f"{gone.path}/ledger.jsonl {advice}"


READ_ONLY = """
import os, sys
from pathlib import Path
from runbook_lib.errors import RunbookError
from runbook_lib.run_folder import RunFolder

os.setgroups([]) if os.getuid() == 0 else None
os.setuid(65534) if os.getuid() == 0 else None
try:
    RunFolder(Path(sys.argv[1])).write_text("report.md", "new")
except RunbookError as error:
    print(error)
"""


def test_a_folder_that_may_not_be_written_is_an_error_and_keeps_its_file(folder: RunFolder) -> None:
    folder.write_text("report.md", "old\n")
    for path in (folder.path, *folder.path.parents[:3]):
        path.chmod(0o555)
    try:
        ended = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(folder.path)],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    finally:
        for path in (folder.path, *folder.path.parents[:3]):
            path.chmod(0o755)
    assert ended.stdout == (
        f"{folder.path}/report.md cannot be written (Permission denied): "
        "free the disk or fix its rights, then go on\n"
    ), ended.stderr
    assert (folder.path / "report.md").read_text() == "old\n"


KILLED = """
import os, signal, sys
from pathlib import Path
from runbook_lib import disk
os.replace = Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
disk.write_atomically(Path(sys.argv[1]), b"whole")
"""


def test_what_a_killed_process_was_writing_is_swept_away_and_the_file_is_as_it_was(folder: RunFolder) -> None:
    file = folder.path / "evidence" / "deploy.json"
    file.write_bytes(b"before")
    subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False, timeout=60)
    assert len(hidden(folder.path)) == 1
    folder.sweep()

    assert hidden(folder.path) == []
    assert file.read_bytes() == b"before"
