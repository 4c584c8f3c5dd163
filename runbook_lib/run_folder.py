"""Keep the files of one run: evidence, tables and the ledger, each written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Literal, TypeVar

import pandas as pd
from pydantic import BaseModel, ValidationError

from runbook_lib.disk import UNFINISHED, write_atomically, writing
from runbook_lib.errors import CorruptEvidence, MissingEvidence, PlanError, RunbookError
from runbook_lib.evidence import Record
from runbook_lib.plan import Endpoints, Plan
from runbook_lib.plan.file import dump_plan, load_plan
from runbook_lib.plan.secrets import refuse_known_secrets
from runbook_lib.redact import redact, redact_json, secrets_of
from runbook_lib.redact_table import redact_table

if TYPE_CHECKING:
    from runbook_lib.session_file import SessionFile

R = TypeVar("R", bound=BaseModel)
_ENDPOINTS = "endpoints.json"

Event = Literal[
    "run started", "run resumed", "step started", "noted", "step done", "step failed",
    "act intended", "act done", "run ended", "approved", "rejected",
]  # fmt: skip


class LedgerEntry(Record):
    """One line of the ledger.

    Attributes:
        step: Step or notebook it is about; empty for the run itself.
        detail: What is about to be done, what came of it, or the error's text.
        error: Name of the error's class, for `step failed`.
        exit_code: What the error means to a shell, for `step failed`; the run's own for `run ended`.
        who: Who decided, for `approved` and `rejected`; `detail` is the reason then, `step` what it is about.
        facts: Who begins, for `… started` and `run resumed`; for `noted`, what must outlive an interruption.
    """

    time: datetime
    event: Event
    step: str = ""
    detail: str = ""
    error: str = ""
    exit_code: int | None = None
    who: str = ""
    facts: dict[str, str] = {}


class RunFolder:
    """The folder of one run. Its name is the run's id.

    Args:
        path: The folder.
        secrets: Known secrets, the environment's if not given; they, and all that is shaped like one, are
            masked before anything is written.
    """

    def __init__(self, path: Path, secrets: Iterable[str] | None = None) -> None:
        self.path = path
        self._secrets = secrets_of(os.environ) if secrets is None else tuple(secrets)
        self._writing = Lock()  # suites that run at the same time write one ledger
        self.run_id = path.resolve().name

    @classmethod
    def create(cls, root: Path, run_id: str, plan: Plan) -> RunFolder:
        """Make the folder below `root` with the plan in it.

        Raises:
            PlanError: If the plan spells out a secret.
            RunbookError: If it cannot be made.
        """
        folder = cls(root / run_id)
        refuse_known_secrets(plan.model_dump_json(), folder._secrets)
        try:
            for name in ("evidence", "notebooks"):
                (folder.path / name).mkdir(parents=True)
        except OSError as error:
            raise RunbookError(
                f"{folder.path} cannot be made ({error.strerror}): give another report.folder"
            ) from error
        # Its secrets are refused above.
        write_atomically(folder.path / "plan.yaml", dump_plan(plan, folder.path).encode())
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Return an existing run folder.

        Raises:
            PlanError: If `path` is none.
        """
        if not (path / "plan.yaml").is_file():
            raise PlanError(f"{path} is no run folder: it has no plan.yaml", field="run")
        return cls(path)

    def plan(self) -> Plan:
        """Return the run's plan, as resolved when the run began."""
        return load_plan(self.path / "plan.yaml")

    def find_endpoints(self) -> Endpoints | None:
        """Return where the run's cloud is, or None before it was first reached, and on Google Cloud."""
        path = self.path / _ENDPOINTS
        return self._read(path, Endpoints) if path.is_file() else None

    def write_endpoints(self, endpoints: Endpoints) -> None:
        """Keep where the run's cloud is."""
        self.write_text(_ENDPOINTS, endpoints.model_dump_json(indent=1) + "\n")

    def write_evidence(self, name: str, record: Record) -> None:
        """Write `evidence/NAME.json`."""
        self.write_record(f"evidence/{name}.json", record)

    def read_evidence(self, name: str, kind: type[R]) -> R:
        """Return `evidence/NAME.json`.

        Raises:
            MissingEvidence: If it is not there.
            CorruptEvidence: If it is not a whole `kind`.
        """
        return self._read(self.path / "evidence" / f"{name}.json", kind)

    def find_evidence(self, name: str, kind: type[R]) -> R | None:
        """Return `evidence/NAME.json`, or None where the step has left none."""
        return self.read_evidence(name, kind) if self.has_evidence(name) else None

    def has_evidence(self, name: str) -> bool:
        """Say whether `evidence/NAME.json` is there."""
        return (self.path / "evidence" / f"{name}.json").is_file()

    def write_record(self, name: str, record: Record) -> None:
        """Write a record as JSON file `name` of the folder itself, e.g. `verdict.json`."""
        text = record.model_dump_json(indent=1, by_alias=True)
        write_atomically(self.path / name, f"{redact_json(text, self._secrets)}\n".encode())

    def find_record(self, name: str, kind: type[R]) -> R | None:
        """Return the record in file `name` of the folder itself, or None where there is none."""
        return self._read(self.path / name, kind) if (self.path / name).is_file() else None

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write `evidence/NAME.parquet`."""
        buffer = BytesIO()
        redact_table(table, self._secrets).to_parquet(buffer, index=False)
        write_atomically(self.path / "evidence" / f"{name}.parquet", buffer.getvalue())

    def keep_sessions(self, name: str) -> SessionFile:
        """Return `evidence/NAME.parquet` to be filled in a `with` block; it is there when that ends well."""
        from runbook_lib.session_file import SessionFile  # what it imports is not needed to read a run

        return SessionFile(self.path / "evidence" / f"{name}.parquet", self._secrets)

    def find_table(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame | None:
        """Return `evidence/NAME.parquet`, or None where there is none.

        Args:
            name: Which table.
            columns: Those to read; all, unless given.

        Raises:
            CorruptEvidence: If it is no Parquet file.
        """
        path = self.path / "evidence" / f"{name}.parquet"
        if not path.is_file():
            return None
        try:
            return pd.read_parquet(path, columns=None if columns is None else list(columns))
        except Exception as error:  # pyarrow raises several unrelated kinds
            raise CorruptEvidence(f"{path} is no Parquet file: run the step again ({error})") from error

    def write_text(self, name: str, text: str) -> None:
        """Write the text file `name` of the folder."""
        write_atomically(self.path / name, redact(text, self._secrets).encode())

    def write_texts(self, below: str, texts: Mapping[str, str]) -> None:
        """Replace everything in the folder `below` by text files, named from the run folder on."""
        with writing(self.path / below) as folder:
            shutil.rmtree(folder, ignore_errors=True)
            for name in texts:
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            self.write_text(name, text)

    def record(self, entry: LedgerEntry) -> None:
        """Append one line to the ledger; it is on the disk when this returns.

        Raises:
            CannotRecord: If it cannot be written.
        """
        line = entry.model_dump_json(exclude_defaults=True) + "\n"
        with self._writing, writing(self.path / "ledger.jsonl") as path, path.open("a+b") as ledger:
            _cut_off_unfinished_line(ledger)
            ledger.write(line.encode())
            ledger.flush()
            os.fsync(ledger.fileno())

    def ledger(self) -> tuple[LedgerEntry, ...]:
        """Return all entries, oldest first; a last line that was cut off in writing is left out.

        Raises:
            CorruptEvidence: If any other line is none.
        """
        path = self.path / "ledger.jsonl"
        lines = path.read_bytes().split(b"\n") if path.is_file() else [b""]
        return tuple(self._ledger_entry(path, number, line) for number, line in enumerate(lines[:-1], 1))

    def sweep(self) -> None:
        """Remove what a process that was killed has left of files that it was writing."""
        with writing(self.path):
            for left in self.path.rglob(f".*{UNFINISHED}"):
                left.unlink()

    def ledger_bytes(self) -> int:
        """Return how long the ledger's file is; it only grows."""
        path = self.path / "ledger.jsonl"
        return path.stat().st_size if path.is_file() else 0

    @staticmethod
    def _read(path: Path, kind: type[R]) -> R:
        if not path.is_file():
            raise MissingEvidence(f"{path} is missing: run its step first")
        try:
            return kind.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            raise CorruptEvidence(f"{path}: {place}: {first['msg']}: run its step again") from None

    @staticmethod
    def _ledger_entry(path: Path, number: int, line: bytes) -> LedgerEntry:
        try:
            return LedgerEntry.model_validate_json(line)
        except ValidationError as error:
            raise CorruptEvidence(f"{path}:{number} is no ledger entry: {error.errors()[0]['msg']}") from None


def _cut_off_unfinished_line(ledger: IO[bytes]) -> None:
    """Remove what a crash left of a last line, for the next line would be joined to it."""
    ledger.seek(0)
    whole = ledger.read().rfind(b"\n") + 1
    if whole < ledger.tell():
        ledger.truncate(whole)
