"""Say what a good plan does that its author may not expect."""

from __future__ import annotations

from runbook_lib.plan import Plan
from runbook_lib.plan.suite import as_argv


def notes_on(plan: Plan) -> tuple[str, ...]:
    """Return remarks on a plan, one sentence each."""
    return (*_suites(plan), *_baseline(plan))


def _suites(plan: Plan) -> list[str]:
    return [
        f"suites.{name}: Python cannot run `{suite.command[1]}`; it is run as `{' '.join(as_argv(suite))}`"
        for name, suite in plan.suites.items()
        if suite.command and as_argv(suite) != suite.command
    ] + [
        f"suites.{name}: its passes are believed without any request in the candidate's log"
        for name, suite in plan.suites.items()
        if not suite.must_reach_candidate
    ]


def _baseline(plan: Plan) -> list[str]:
    if plan.rollout.strategy == "direct":
        return ["rollout.strategy: direct gives the candidate all traffic before it is judged"]
    return []
