"""Say which permissions a validation lacks, before it changes anything; asks, and changes nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from runbook_lib.errors import CloudError, CloudUnavailable, PermissionsMissing
from runbook_lib.plan import Plan
from runbook_lib.ports import Permissions
from runbook_lib.run_folder import LedgerEntry


@dataclass(frozen=True, kw_only=True)
class Need:
    """One permission that a validation cannot do without.

    Attributes:
        on: Where it has to be granted; one on the project reaches every service of it.
        role: The smallest of Google's own roles that has it.
        purpose: What it is for, in words.
    """

    permission: str
    on: Literal["service", "project"]
    role: str
    purpose: str


_VIEWER, _DEVELOPER = "roles/run.viewer", "roles/run.developer"
_ALWAYS = (
    Need(permission="run.services.get", on="service", role=_VIEWER, purpose="read traffic and lease"),
    Need(
        permission="run.services.update", on="service", role=_DEVELOPER,
        purpose="deploy, set traffic, take and give back the lease",
    ),
    Need(permission="run.revisions.get", on="service", role=_VIEWER, purpose="read both revisions"),
    Need(
        permission="run.revisions.list", on="service", role=_VIEWER, purpose="find a deployment by its key"
    ),
    Need(permission="run.operations.get", on="project", role=_VIEWER, purpose="wait for a change"),
    Need(
        permission="logging.logEntries.list", on="project", role="roles/logging.viewer",
        purpose="read log entries",
    ),
    Need(
        permission="monitoring.timeSeries.list", on="project", role="roles/monitoring.viewer",
        purpose="read time series",
    ),
)  # fmt: skip
_REHEARSAL = Need(
    permission="run.services.create", on="project", role=_DEVELOPER, purpose="rehearse: create the service"
)
_ANALYTICS = Need(
    permission="bigquery.jobs.create", on="project", role="roles/bigquery.jobUser",
    purpose="count log entries by a query",
)  # fmt: skip
PREFLIGHT = "preflight"
"""Name under which the ledger notes it."""
_BEGINNINGS = ("run started", "run resumed")
UNASKED = ("iam.serviceAccounts.actAs on the service's runtime account",)


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What was asked, and what came of it.

    Attributes:
        missing: What the caller has neither on the service nor on the project.
        unknown: What could not be asked; `why` says the reason.
        unasked: What neither the service nor the project can tell.
    """

    service: str
    project: str
    needs: tuple[Need, ...]
    missing: tuple[Need, ...] = ()
    unknown: tuple[Need, ...] = ()
    unasked: tuple[str, ...] = UNASKED
    why: str = ""

    def words(self) -> str:
        """Return in one line what the caller has."""
        granted = len(self.needs) - len(self.missing) - len(self.unknown)
        words = f"{granted} of {len(self.needs)} permissions are granted"
        return f"{words}; {len(self.unknown)} could not be asked for: {self.why}" if self.unknown else words

    def require(self) -> None:
        """Refuse to go on where something is missing.

        Raises:
            PermissionsMissing: Which names everything that is.
        """
        if self.missing:
            raise PermissionsMissing([self._sentence(need) for need in self.missing])

    def _sentence(self, need: Need) -> str:
        where = f"service {self.service}" if need.on == "service" else f"project {self.project}"
        return f"permission {need.permission} is missing on {where}: grant {need.role}"


def pass_preflight(plan: Plan, permissions: Permissions, note: Callable[..., None]) -> None:
    """Ask for all permissions and note in the ledger what came of it.

    Raises:
        PermissionsMissing: Which names everything that is missing.
    """
    found = preflight(plan, permissions)
    try:
        found.require()
    except PermissionsMissing as error:
        name = type(error).__name__
        note("step failed", step=PREFLIGHT, detail=str(error), error=name, exit_code=error.exit_code)
        raise
    note("step done", step=PREFLIGHT, detail=found.words())


def passed(ledger: Sequence[LedgerEntry]) -> bool:
    """Say whether nothing was missing when it was last asked for, since the run was started or resumed."""
    last = [entry for entry in ledger if entry.step == PREFLIGHT or entry.event in _BEGINNINGS][-1:]
    return any((entry.step, entry.event) == (PREFLIGHT, "step done") for entry in last)


def needs_of(plan: Plan) -> tuple[Need, ...]:
    """Return what a validation by this plan needs."""
    rehearsal = (_REHEARSAL,) if plan.target.baseline_image else ()
    return (*_ALWAYS, *rehearsal, *((_ANALYTICS,) if plan.logs.analytics else ()))


def preflight(plan: Plan, permissions: Permissions) -> Preflight:
    """Ask for all permissions at once: one request to the service's API, one to the project's.

    A stand-in for the cloud may know of no permissions, and the project's API may be switched off: what
    cannot be asked for is told, and is no reason not to begin.

    Raises:
        CloudUnavailable: If the cloud does not answer.
    """
    needs = needs_of(plan)
    granted: frozenset[str] = frozenset()
    refused: dict[str, str] = {}
    for place, question in (("service", permissions.on_service), ("project", permissions.on_project)):
        try:
            granted |= question([need.permission for need in needs if place in ("project", need.on)])
        except CloudUnavailable:
            raise
        except CloudError as error:
            refused[place] = str(error)
    lacking = [need for need in needs if need.permission not in granted]
    return Preflight(
        service=plan.target.service,
        project=plan.target.project,
        needs=needs,
        missing=tuple(need for need in lacking if need.on not in refused),
        unknown=tuple(need for need in lacking if need.on in refused),
        why="; ".join(refused.values()),
    )
