"""Deploy once, by image or by the team's own command, or find what an interrupted attempt has left."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.errors import RevisionNotReady, RunRefused
from runbook_lib.evidence import RevisionState, ServiceState, Window
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports

_OUTPUT_LINES = 40


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """How it went.

    Attributes:
        revision: Empty where none came into being.
        problem: Empty where all is well.
        note: What else is to be known of it.
        found: It was made by an attempt that was interrupted.
    """

    revision: str
    problem: str = ""
    output: str = ""
    note: str = ""
    found: bool = False

    def duration_s(self, window: Window, candidate: RevisionState | None) -> float | None:
        """Return how long it took: of an interrupted one, only the service knows."""
        if not self.found:
            return window.seconds
        if candidate is None or candidate.settled is None:
            return None
        return (candidate.settled - candidate.created).total_seconds()


def attempt(plan: Plan, ports: Ports, service: ServiceState) -> Attempt:
    """Deploy as the plan says, unless the service has this deployment already.

    Raises:
        RunRefused: If nobody can tell which revision an interrupted deploy command has made.
    """
    if plan.candidate.command:
        return _left_by_command(ports, service) or _by_command(plan, ports, service)
    return _by_image(plan, ports)


def _by_image(plan: Plan, ports: Ports) -> Attempt:
    key = ports.journal.key("deployment")
    found = ports.cloud_run.deployed(key) is not None
    note = "the deployment was interrupted and had come through: it was not repeated" if found else ""
    image, env = plan.candidate.image or "", plan.candidate.env
    try:
        made = ports.cloud_run.deploy(image, env, plan.candidate.ready_timeout_s, key)
    except RevisionNotReady as error:
        return Attempt(revision=error.revision, problem=str(error), note=note, found=found)
    problem = "" if made else "the service took the deployment and made no new revision of it"
    return Attempt(revision=made, problem=problem, note=note, found=found)


def _left_by_command(ports: Ports, service: ServiceState) -> Attempt | None:
    """Return what a deploy command that was interrupted has made, or None if it made nothing."""
    before = ports.journal.recall("latest")
    if not before:
        ports.journal.remember("latest", service.latest_created)
        return None
    names = [revision.name for revision in ports.cloud_run.revisions()]
    since = names[: names.index(before)] if before in names else names
    if len(since) > 1:
        raise RunRefused(
            f"the deploy command was interrupted, and {', '.join(since)} came into being since: "
            "nobody can tell which is the candidate, so begin a new run"
        )
    if not since:
        return None
    ports.journal.remember("candidate", since[0])
    note = "the deploy command was interrupted after it had made this revision: it was not repeated"
    return Attempt(revision=since[0], note=note, found=True)


def _by_command(plan: Plan, ports: Ports, before: ServiceState) -> Attempt:
    target = plan.target.model_dump(include={"project", "region", "service"})
    argv = [part.format_map(target) for part in plan.candidate.command]
    result = ports.commands.run(
        argv,
        cwd=Path(plan.candidate.cwd),
        env=plan.candidate.env,
        timeout_s=plan.candidate.ready_timeout_s,
    )
    latest = ports.cloud_run.service().latest_created
    made = latest if latest != before.latest_created else ""
    if made:
        ports.journal.remember("candidate", made)
    named = re.search(plan.candidate.revision_pattern, result.output)
    revision = named["revision"] if named else made
    output = "\n".join(result.output.splitlines()[-_OUTPUT_LINES:])
    return Attempt(revision=made, problem=_complaint(result.exit_code, revision, made), output=output)


def _complaint(exit_code: int | None, named: str, made: str) -> str:
    """Return what is wrong with a deploy command's end, or an empty text."""
    if exit_code is None:
        return "the deploy command did not end in time"
    if exit_code:
        return f"the deploy command ended with exit code {exit_code}"
    if not made:
        return "the deploy command made no new revision"
    if named != made:
        return f"the deploy command names {named}, but the service's newest revision is {made}"
    return ""
