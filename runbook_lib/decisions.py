"""Read from the ledger what people have decided, and hold back what the plan wants decided first."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from runbook_lib.errors import NotApproved, PlanError
from runbook_lib.plan import Plan
from runbook_lib.run_folder import LedgerEntry

Act = Literal["deploy", "promote", "rollback"]
_NAMES = ("RUNBOOK_USER", "GITHUB_ACTOR", "GITLAB_USER_LOGIN")


def who_decides(environment: Mapping[str, str]) -> str:
    """Return the name of the person who runs this: as the environment or CI gives it, else of the login."""
    return next((environment[name] for name in _NAMES if environment.get(name)), "") or _login()


def record_decision(
    note: Callable[..., None], act: Act, *, approved: bool, reason: str, environment: Mapping[str, str]
) -> None:
    """Write into the ledger who has decided what, and why.

    Raises:
        PlanError: If there is no reason.
    """
    if not reason.strip():
        raise PlanError("a decision needs a reason, for those who read the ledger later", field="reason")
    event = "approved" if approved else "rejected"
    note(event, step=act, detail=reason.strip(), who=who_decides(environment))


def decision_on(act: Act, ledger: Sequence[LedgerEntry]) -> LedgerEntry | None:
    """Return the last decision on an act since it was last done; a decision serves once."""
    for entry in reversed(ledger):
        if entry.step == act and entry.event in ("approved", "rejected"):
            return entry
        if entry.step == act and entry.event == "step done":
            return None
    return None


def require_approval(plan: Plan, run: str, act: Act, ledger: Sequence[LedgerEntry]) -> None:
    """Refuse an act that the plan wants approved and nobody has.

    Args:
        plan: Says whether it does.
        run: The run's folder, as a shell is told it.
        act: What is about to be done.
        ledger: Of the run.

    Raises:
        NotApproved: If nobody has, or somebody has rejected it.
    """
    decision = decision_on(act, ledger)
    if plan.rollout.approval == "none" or (decision and decision.event == "approved"):
        return
    how = f"runbook approve {run} --reason WHY"
    if decision:
        raise NotApproved(f"rejected by {decision.who}: {decision.detail}; to do it all the same: {how}")
    raise NotApproved(f"waits for an approval: {how}")


def is_held_back(ledger: Sequence[LedgerEntry]) -> bool:
    """Say whether the run observed nothing because its deployment was not approved."""
    last = next((e for e in reversed(ledger) if e.step == "deploy" and e.event.startswith("step ")), None)
    return last is not None and last.error == NotApproved.__name__


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"
