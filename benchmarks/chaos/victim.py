"""One run that is killed at random moments and resumed, and all that may not be true of it afterwards."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from runbook_lib.errors import RunbookError
from runbook_lib.judging import OBSERVED
from runbook_lib.run_folder import RunFolder
from runbook_lib.verdict import Verdict

PLAN = Path(__file__).with_name("quick.yaml")
RUNBOOK = Path(sys.executable).parent / "runbook"
ENDED = (0, 10, 20)
MARK = "CHAOS_RUN"
_CALLS = (
    "Services.GetService", "Services.UpdateService", "Revisions.*", "LoggingServiceV2.*", "Operations.*", "*",
)  # fmt: skip
_COMMAND_LIMIT_S = 400


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is done to one run; all of it follows from `seed`.

    Attributes:
        length_s: How long an undisturbed run takes: the first kill comes within that.
    """

    seed: int
    service: str
    image: str
    folder: Path
    emulator: str
    length_s: float


@dataclass
class Told:
    """What became of it.

    Attributes:
        kills: Seconds after each start at which what was killed.
        codes: Exit code of each start; negative for the signal that ended it.
        wrong: Everything that must not be, in words.
    """

    service: str
    kills: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    action: str = ""
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


def disturbed(case: Case, outcomes: dict[str, str]) -> Told:
    """Start a run, kill it once or more, resume it until it ends, and check what is left.

    Args:
        outcomes: Outcome of each criterion in an undisturbed run, and its `action`.
    """
    rng, told = random.Random(case.seed), Told(service=case.service)
    began_s = time.monotonic()
    kills = rng.choices((1, 2, 3), weights=(6, 3, 1))[0]
    with _watched(case, told):
        for start in range(kills + 5):
            kill_s = rng.uniform(0.2, case.length_s) / (1 if start == 0 else 2) if start < kills else None
            told.codes.append(_one_start(case, rng, kill_s, told))
            if told.codes[-1] in ENDED:
                break
    told.seconds = time.monotonic() - began_s
    told.wrong += _left_wrong(case, told, outcomes)
    return told


def undisturbed(case: Case) -> tuple[dict[str, str], float]:
    """Return the outcomes of a run that nobody disturbs, and how long it took."""
    began_s = time.monotonic()
    told = Told(service=case.service)
    code = _one_start(case, random.Random(0), None, told)
    assert code in ENDED, f"the undisturbed run ended with {code}: see {case.folder}"
    return _outcomes(_run_of(case)), time.monotonic() - began_s


def _one_start(case: Case, rng: random.Random, kill_s: float | None, told: Told) -> int:
    run = _run_of(case)
    parameters = {"target.service": case.service, "candidate": case.image, "report.folder": str(case.folder)}
    given = [part for name, value in parameters.items() for part in ("-p", f"{name}={value}")]
    argv = ["resume", str(run)] if run else ["run", str(PLAN), *given]
    with (case.folder / "output.txt").open("a") as output:
        process = subprocess.Popen(
            [RUNBOOK, *argv],
            env={**os.environ, MARK: case.service},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        if kill_s is None:
            return process.wait(_COMMAND_LIMIT_S)
        if rng.random() < 0.5:
            _fault(case, rng, told)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(kill_s)
        what = rng.choices(("runner", "kernel", "both"), weights=(6, 2, 2))[0]
        told.kills.append(f"{what} after {kill_s:.1f} s")
        _kill(process.pid, what)
        return process.wait(_COMMAND_LIMIT_S)


def _kill(pid: int, what: str) -> None:
    with suppress(psutil.Error):
        below = psutil.Process(pid).children(recursive=True) if what != "runner" else []
        for each in below:
            with suppress(psutil.Error):
                each.kill()
        if what != "kernel":
            os.kill(pid, signal.SIGKILL)


def _fault(case: Case, rng: random.Random, told: Told) -> None:
    """Let the cloud's API fail or be slow for a moment; what the candidate itself does is not touched."""
    name = rng.choice(("UNAVAILABLE", "DEADLINE_EXCEEDED", "slow", "duplicate-logs", "out-of-order-logs"))
    fault: dict[str, Any] = {"name": name, "rate": rng.uniform(0.1, 0.6), "seed": rng.randrange(10**6)}
    fault |= {"seconds": rng.uniform(0.5, 4), "delay_s": 0.2}
    if "logs" not in name:
        fault["method"] = rng.choice(_CALLS)
    told.faults.append(f"{name} {fault.get('method', '')}".strip())
    httpx.post(f"{case.emulator}/faults", json=fault, timeout=10).raise_for_status()


@contextmanager
def _watched(case: Case, told: Told) -> Iterator[None]:
    """Look at the service's traffic all the time: an unjudged candidate must have none."""
    ended = threading.Event()

    def look() -> None:
        with httpx.Client() as client:  # a new one for each look would take a third of the whole machine
            while not ended.wait(0.05):
                with suppress(httpx.HTTPError):
                    for revision in service_of(case, client)["revisions"][1:]:
                        if revision["percent"]:
                            told.wrong.append(
                                f"{revision['name']} had {revision['percent']} % of the traffic"
                            )

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def service_of(case: Case, client: httpx.Client | None = None) -> dict[str, Any]:
    """Return the service as the emulator's own status tells it, beside the API; revisions oldest first."""
    services = (client or httpx).get(f"{case.emulator}/status", timeout=10).json()["services"]
    found = [service for service in services if service["name"].endswith(f"/{case.service}")]
    return found[0] if found else {"revisions": []}


def _left_wrong(case: Case, told: Told, outcomes: dict[str, str]) -> list[str]:
    wrong = []
    run = _run_of(case)
    if told.codes[-1] not in ENDED or run is None:
        return [f"did not come to its end: {told.codes}"]
    found = _outcomes(run)
    told.action = found["action"]
    if _decided_without_seeing_all(run):  # a ROLLBACK that is due needs no more, so it is final
        outcomes = {"action": outcomes["action"]}
    other = {name: want for name, want in outcomes.items() if found.get(name) != want}
    wrong += [f"{name} is {found.get(name)}, not {want}" for name, want in other.items()]
    revisions = service_of(case)["revisions"]
    if len(revisions) != 2:
        wrong.append(f"the service has {len(revisions)} revisions, not baseline and candidate")
    if revisions and revisions[0]["percent"] != 100:
        wrong.append(f"the baseline has {revisions[0]['percent']} % at the end")
    wrong += _unreadable(run)
    wrong += [f"left behind: {each}" for each in _orphans(case)]
    return wrong


def _decided_without_seeing_all(run: Path) -> bool:
    verdict = json.loads((run / "verdict.json").read_text())
    return bool(verdict["action"] == "ROLLBACK" and verdict["not_seen"])


def _unreadable(run: Path) -> list[str]:
    """Return every file of the record that cannot be read; what a run has not written is none."""
    folder, wrong = RunFolder(run), []
    reads = [lambda name=name, kind=kind: folder.find_evidence(name, kind) for name, kind in OBSERVED.items()]
    reads += [lambda path=path: folder.find_table(path.stem) for path in run.glob("evidence/*.parquet")]
    for read in (*reads, folder.ledger, folder.plan, lambda: folder.find_record("verdict.json", Verdict)):
        try:
            read()
        except RunbookError as error:
            wrong.append(str(error))
    wrong += [f"{path} was left half written" for path in run.rglob(".*") if path.is_file()]
    return wrong


def _orphans(case: Case) -> list[str]:
    """Return the processes of this run that still live, two seconds after its end."""
    deadline_s = time.monotonic() + 2
    while (found := list(_marked(case))) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    return found


def _marked(case: Case) -> Iterator[str]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == case.service and process.status() != psutil.STATUS_ZOMBIE:
                yield f"{process.pid} {' '.join(process.cmdline())[:120]}"


def _run_of(case: Case) -> Path | None:
    return next((path.parent for path in case.folder.glob("*/ledger.jsonl")), None)


def _outcomes(run: Path | None) -> dict[str, str]:
    assert run is not None
    verdict = json.loads((run / "verdict.json").read_text())
    return {each["id"]: each["outcome"] for each in verdict["criteria"]} | {"action": verdict["action"]}
