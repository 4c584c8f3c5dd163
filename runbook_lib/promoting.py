"""Say whether a run's verdict carries a promotion, or a person's reason has to; changes nothing."""

from __future__ import annotations

from runbook_lib.archive.manifest import altered
from runbook_lib.errors import RunRefused
from runbook_lib.judging import judged
from runbook_lib.plan import Plan
from runbook_lib.run_folder import RunFolder
from runbook_lib.verdict import Verdict

_PROCEED = "PROCEED_TO_PRODUCTION"


def action_to_promote(folder: RunFolder, plan: Plan, override: str) -> str:
    """Return the action of the run's verdict, or `no verdict`, where the candidate may be promoted by it.

    What `verdict.json` says is not believed: the evidence is judged again, and has to be as it was sealed.

    Args:
        folder: Of the run.
        plan: By which it was judged.
        override: Why the candidate is promoted against the verdict, if it is.

    Raises:
        RunRefused: If the action is another than PROCEED_TO_PRODUCTION and there is no override, or if
            verdict and evidence are not what they were: an override excuses no false record.
    """
    if changes := altered(folder.path):
        raise _false_record(folder, plan, f"{changes[0].file} {changes[0].detail}")
    verdict = folder.find_record("verdict.json", Verdict)
    action = verdict.action if verdict else "no verdict"
    if verdict and action != (again := judged(folder, plan).action):
        raise _false_record(folder, plan, f"verdict.json says {action} where the evidence says {again}")
    if action != _PROCEED and not override:
        raise RunRefused(f"the verdict is {action}: promoting needs --override with a reason")
    return action


def _false_record(folder: RunFolder, plan: Plan, what: str) -> RunRefused:
    again = f"runbook verdict {plan.report.folder}/{folder.run_id}"
    return RunRefused(f"nothing was promoted, {what}: find out why, then judge again by {again}")
