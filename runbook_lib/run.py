"""Run the steps of one validation: each reads the run folder and leaves its evidence in it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TypeVar, cast

import pandas as pd

from runbook_lib.archive.manifest import seal, sealed_anew
from runbook_lib.clock import Clock, SystemClock
from runbook_lib.connection import Connection
from runbook_lib.decisions import Act, is_held_back, record_decision, require_approval
from runbook_lib.earlier import with_earlier
from runbook_lib.errors import CloudError, CorruptEvidence, NotApproved, NotFound, PlanError
from runbook_lib.evidence import (
    DeployEvidence,
    MetricsEvidence,
    ProbesEvidence,
    PromoteEvidence,
    Role,
    RollbackEvidence,
    StepEvidence,
)
from runbook_lib.evidence.load_figures import LoadProgress
from runbook_lib.evidence.logs import LogsEvidence
from runbook_lib.evidence.pairs import Pairs
from runbook_lib.evidence.session_table import session_table
from runbook_lib.evidence.suites import SuitesEvidence
from runbook_lib.folder_lock import here, worker_on
from runbook_lib.gathering import entries_of, record_of
from runbook_lib.judging import (
    COULD_NOT_LOOK,
    OBSERVED,
    exit_code,
    exit_code_of,
    judged,
    next_command,
    unseen,
)
from runbook_lib.leasing import ServiceLease
from runbook_lib.live import LiveLoad, LiveProbes, LiveSuites
from runbook_lib.live.cloud import LiveConditions, LivePairs
from runbook_lib.places import LIVE
from runbook_lib.plan import Plan
from runbook_lib.plan.file import load_plan
from runbook_lib.ports import Ports
from runbook_lib.ports.logs import LogTail
from runbook_lib.preflight import pass_preflight, passed
from runbook_lib.promoting import action_to_promote
from runbook_lib.rehearsal import FILE as SELF_TEST
from runbook_lib.rehearsal import SelfTested
from runbook_lib.report import write_reports
from runbook_lib.report.record import RunRecord
from runbook_lib.resuming import kept_steps, kept_words, pair_of_run, refuse_changes
from runbook_lib.run_folder import RunFolder
from runbook_lib.scribe import LedgerScribe
from runbook_lib.steps.deploy import deploy
from runbook_lib.steps.log_reading import revisions
from runbook_lib.steps.logs import read_logs
from runbook_lib.steps.metrics import measure
from runbook_lib.steps.probes import observe_probes
from runbook_lib.steps.promote import promote
from runbook_lib.steps.rollback import roll_back
from runbook_lib.steps.run_logs import read_run_logs
from runbook_lib.steps.suites import FAILURES, run_suites, trouble_files
from runbook_lib.verdict import Verdict

E = TypeVar("E", bound=StepEvidence)


class Run:
    """One validation.

    Attributes:
        folder: Everything that is known of it.
        plan: Its plan, as resolved when it began.
    """

    def __init__(self, folder: RunFolder, plan: Plan | None = None, clock: Clock | None = None) -> None:
        self.folder = folder
        self.plan = plan or folder.plan()
        self._clock = clock or SystemClock()
        self._scribe = LedgerScribe(folder, self._clock)
        self._world = Connection(folder, self.plan, self._scribe, self._clock)
        self.note = self._scribe.note

    @classmethod
    def start(cls, plan_file: Path, parameters: Mapping[str, str], root: Path) -> Run:
        """Begin a run in a new folder below `root`.

        Raises:
            PlanError: If plan or parameters are wrong.
            RunbookError: If the folder cannot be made.
        """
        plan = load_plan(plan_file, parameters)
        clock = SystemClock()
        stamp = clock.now().strftime("%Y%m%d-%H%M%S")
        name = f"issue-{plan.issue.number}" if plan.issue.number else plan.target.service
        outputs = root / plan.report.folder
        folder = RunFolder.create(outputs, f"{stamp}-{name}-{secrets.token_hex(2)}", plan)
        run = cls(folder, plan, clock)
        given = ", ".join(f"{key}={value}" for key, value in parameters.items())
        run.note("run started", detail=f"{plan_file.name} {given}".strip(), facts=here())
        run._take_self_test_along(outputs)
        return run

    @property
    def ports(self) -> Ports:
        """The world as the steps see it; connected on first use."""
        return self._world.ports

    @property
    def lease(self) -> ServiceLease:
        """The right to change the service, which the service itself keeps."""
        return self._world.lease

    def resume(self) -> None:
        """Go on with a run that was interrupted: what is done is kept from now on, and asked of the service.

        Raises:
            RunRefused: If another run has the service, or somebody has changed it since.
        """
        self.folder.sweep()
        self.note("run resumed", detail=kept_words(self.folder), facts=here())
        self.take_service()
        if unseen(self.folder) and "deploy" in kept_steps(self.folder):
            refuse_changes(self.plan, self._deployed(), self.ports.cloud_run.service())

    def preflight(self) -> None:
        """Ask whether the caller may do all that the plan needs, before anything is changed.

        Raises:
            PermissionsMissing: Which names everything that is missing.
        """
        pass_preflight(self.plan, self._world.permissions, self.note)

    def take_service(self) -> None:
        """Take the lease, so that nobody else changes the service; one that is yet to be created has none.

        Raises:
            PermissionsMissing: If the caller may not do what the plan needs.
            RunRefused: If another run has it.
        """
        self.preflight()
        with suppress(NotFound, NotApproved):
            self._require_approval("deploy")
            self.lease.hold()

    def deploy(self) -> DeployEvidence:
        """Deploy the candidate beside the baseline.

        Raises:
            NotApproved: If the plan wants an approval, and there is none.
        """

        def act() -> DeployEvidence:
            with LiveConditions(self.folder, self.ports.cloud_run):
                return deploy(self.plan, self.ports)

        return self._step("deploy", act)

    def read_logs(self) -> LogsEvidence:
        """Read both revisions' start-up logs."""

        def act() -> LogsEvidence:
            seen = read_logs(self.plan, self._deployed(), self.ports)
            self.folder.write_table("logs", seen.entries)
            return seen.evidence

        return self._step("logs", act)

    def read_run_logs(self) -> LogsEvidence:
        """Read what both revisions logged since, and compare all of it."""

        def act() -> LogsEvidence:
            started = None if "logs" in unseen(self.folder) else self.folder.find_table("logs")
            seen = read_run_logs(self.plan, self._deployed(), started, self.ports)
            self.folder.write_table("run_logs", seen.entries)
            return seen.evidence

        return self._step("run_logs", act)

    def follow_logs(self) -> LogTail:
        """Return what both revisions log from now on, as it comes; see `ports.logs.LogTail` for its use.

        Raises:
            MissingEvidence: If the candidate was not deployed yet.
        """
        return self.ports.logs.follow(list(self.roles()), self.plan.logs.filter)

    def roles(self) -> dict[str, Role]:
        """Return the role of each revision, by its name."""
        return {state.name: role for role, state in revisions(self._deployed()).items()}

    def entries(self) -> pd.DataFrame | None:
        """Return the log entries of the whole run, or of the start-ups alone where the run was not read."""
        return entries_of(self.folder)

    def run_suites(self, show: Callable[[str], None] | None = None) -> SuitesEvidence:
        """Run the plan's suites against the candidate; `show` is told how far they are."""

        def act() -> SuitesEvidence:
            with LiveSuites(self.folder.path / LIVE, show) as watch:
                evidence = run_suites(
                    self.plan, self._deployed(), self.ports, self.folder.run_id, self._scribe.secrets, watch
                )
            self.folder.write_texts(FAILURES, trouble_files(evidence))
            return evidence

        return self._step("suites", act)

    def probe(self) -> ProbesEvidence:
        """Make our own sessions on both revisions."""

        def act() -> ProbesEvidence:
            with LiveProbes(self.folder.path / LIVE) as watch:
                evidence, sessions = observe_probes(self.plan, self._deployed(), self.ports, watch)
            self.folder.write_table("probes_sessions", session_table(sessions))
            return evidence

        return self._step("probes", act)

    def measure(self, show: Callable[[LoadProgress], None] | None = None) -> MetricsEvidence:
        """Load both revisions and read their series; `show` is told twice a second how the load goes."""

        def act() -> MetricsEvidence:
            with (
                LiveLoad(self.folder.path / LIVE, show) as watch,
                LivePairs(self.folder, self.plan) as live,
                self.folder.keep_sessions("load_sessions") as kept,
            ):
                seen = measure(self.plan, self._deployed(), self.ports, kept, live.enough, watch)
            self.folder.write_evidence("pairs", Pairs(counts=seen.pairs))
            self.folder.write_evidence("memory", seen.memory)
            self.folder.write_evidence("starts", with_earlier(seen.starts, self.folder.path.parent))
            self.folder.write_table("series", seen.series)
            return seen.evidence

        return self._step("metrics", act)

    def judge(self) -> Verdict:
        """Judge what was observed and write `verdict.json`; needs no cloud, and gives the same again."""
        verdict = judged(self.folder, self.plan)
        self.folder.write_record("verdict.json", verdict)
        return verdict

    def preview(self) -> Verdict:
        """Judge what was observed so far, and write nothing."""
        return judged(self.folder, self.plan)

    def rejudge(self, plan_file: Path) -> Verdict:
        """Judge the archived evidence by another plan; the run's own verdict and report stay as they are.

        The result is kept as `verdict-by-PLAN.json` in the run folder.

        Raises:
            PlanError: If the plan is wrong.
        """
        with self.sealed_anew():
            verdict = judged(self.folder, load_plan(plan_file))
            self.folder.write_record(f"verdict-by-{plan_file.stem}.json", verdict)
        return verdict

    def roll_back(self) -> RollbackEvidence:
        """Return the traffic to the baseline and probe it; safe to repeat."""
        with self.sealed_anew():
            self.lease.hold(from_other_hosts=True)  # of a run that may have died there
            done = self._step(
                "rollback",
                lambda: roll_back(self.plan, pair_of_run(self.folder, self.ports.cloud_run), self.ports),
            )
            self.release()
            if verdict := self.verdict():
                now = {"next_command": next_command(self.folder, self.plan, verdict.action)}
                self.folder.write_record("verdict.json", verdict.model_copy(update=now))
        return done

    def decide(self, act: Act, *, approved: bool, reason: str) -> None:
        """Record what a person has decided on an act, and why.

        Raises:
            PlanError: If there is no reason.
        """
        with self.sealed_anew():
            record_decision(self.note, act, approved=approved, reason=reason, environment=os.environ)

    def awaited(self) -> Act:
        """Return what has to be approved next."""
        return "deploy" if "deploy" in unseen(self.folder) else "promote"

    def promote(self, override: str = "", up_to: int = 100) -> PromoteEvidence:
        """Move the traffic to the candidate.

        Args:
            override: Why it is promoted against the verdict; recorded in the ledger.
            up_to: Percentage to stop at, one of the plan's steps.

        Raises:
            RunRefused: If the verdict is not PROCEED_TO_PRODUCTION and there is no override, or if it is not
                what the evidence says, or if either was altered.
            NotApproved: If the plan wants an approval, and there is none.
        """
        self._require_approval("promote")
        action = action_to_promote(self.folder, self.plan, override)
        with self.sealed_anew():
            if override:
                self.note("act intended", step="promote", detail=f"promote against {action}: {override}")
            done = self._step("promote", lambda: promote(self.plan, self._deployed(), self.ports, up_to))
            self.release()
        return done

    def release(self) -> None:
        """Give the service's lease back; where the cloud does not answer, it ends by itself."""
        with suppress(CloudError):
            self.lease.release()

    def verdict(self) -> Verdict | None:
        """Return the run's verdict, or None before it was judged."""
        return self.folder.find_record("verdict.json", Verdict)

    def exit_code(self) -> int:
        """Return what the run means to a shell."""
        verdict = self.verdict()
        if verdict is None:
            return COULD_NOT_LOOK
        return exit_code(verdict, held_back=is_held_back(self.folder.ledger()))

    def record(self) -> RunRecord:
        """Return everything that the report is made of."""
        return record_of(self.folder, self.plan)

    def write_reports(self) -> tuple[Path, ...]:
        """Write the report's files and the manifest over everything."""
        files = write_reports(self.record(), self.folder.path)
        seal(self.folder.path, self.plan.target.service, self._clock.now())
        return files

    def sealed_anew(self) -> AbstractContextManager[None]:
        """Seal a run that is sealed again when an act on it is over, however it ends."""
        return sealed_anew(self.folder.path, self.plan.target.service, self._clock.now)

    def _require_approval(self, act: Act) -> None:
        run = f"{self.plan.report.folder}/{self.folder.run_id}"
        require_approval(self.plan, run, act, self.folder.ledger())

    def _take_self_test_along(self, outputs: Path) -> None:
        """Copy the last rehearsal into the record; one that cannot be read is no reason not to run."""
        with suppress(CorruptEvidence):
            if tested := RunFolder(outputs).find_record(SELF_TEST, SelfTested):
                self.folder.write_record(SELF_TEST, tested)

    def _step(self, name: str, act: Callable[[], E]) -> E:
        """Do a step, alone on the run and on the service; one that is kept from before is not done again."""
        if name in kept_steps(self.folder):
            return cast("E", self.folder.read_evidence(name, OBSERVED[name]))
        with worker_on(self.folder):
            return self._done(name, act)

    def _done(self, name: str, act: Callable[[], E]) -> E:
        """Do a step; its end, good or bad, is in the ledger before anybody else hears of it."""
        self.note("step started", step=name, facts=here())
        try:
            if name == "deploy":
                self._require_approval("deploy")
                if not passed(self.folder.ledger()):
                    self.preflight()
            with self.lease.kept():
                evidence = act()
                self.ports.cloud_run.service()  # what was seen counts only if the cloud is still there
                self.folder.write_evidence(name, evidence)
        except BaseException as error:
            self._scribe.failed(name, error, exit_code_of(error))
            raise
        self.note("step done", step=name)
        return evidence

    def _deployed(self) -> DeployEvidence:
        return self.folder.read_evidence("deploy", DeployEvidence)


def open_run(path: Path, parameters: Mapping[str, str] | None = None) -> Run:
    """Return an existing run; parameters change its plan for what is done from here on.

    Raises:
        PlanError: If there is none at `path`, or a parameter is wrong.
    """
    if not path.is_dir():
        raise PlanError(f"no such run folder: {path}", field="run")
    return Run(RunFolder.open(path), load_plan(path / "plan.yaml", parameters) if parameters else None)
