"""Run a variant of the sample service as a real process, and make what the probes step is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runbook_lib.agent.client import AgentClient
from runbook_lib.clock import SystemClock
from runbook_lib.evidence import DeployEvidence, RevisionState, Window
from runbook_lib.plan import Candidate, Issue, Plan, Probes, Target
from runbook_lib.plan.criterion import Criterion
from runbook_lib.ports import Ports

CANDIDATE, BASELINE = "s-2", "s-1"
ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 23, tzinfo=UTC)
WINDOW = Window(start=NOW, end=NOW)
UNREACHED: Any = object()  # the probes reach agents and clock, nothing else


@contextmanager
def service(variant: str, **environ: str) -> Iterator[str]:
    """Run one variant for a while, on a port that the system chooses, as the candidate; yields its URL."""
    command = [sys.executable, "-m", "runbook_lib.emulator.sample_service", "--variant", variant]
    env = {**os.environ, "PORT": "0", "K_REVISION": CANDIDATE, **environ}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{_port(process)}"
        finally:
            process.kill()


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    for line in process.stdout:  # ends when the process does
        entry = json.loads(line)
        if entry["message"] == "listening":
            return int(entry["port"])
    raise AssertionError("the service ended before it listened")


def plan(**probes: Any) -> Plan:
    """Return a plan with small probes and short time limits."""
    small = {
        "agents": ("triage", "data", "reporting"), "connect_timeout_s": 10, "answer_timeout_s": 5,
        "golden_path_sessions": 2, "concurrent_users": 6, "rounds": 2, "starts_per_agent": 3,
        "health": {"polls": 3},
    }  # fmt: skip
    return Plan(
        issue=Issue(title="probes"),
        target=Target(project="p", region="r", service="s"),
        candidate=Candidate(image="i"),
        criteria=(Criterion(id="events", title="events", metric="events.violations", at_most=0),),
        probes=Probes.model_validate(small | probes),
    )


def deployed(candidate_url: str = "", baseline_url: str = "") -> DeployEvidence:
    """Return what the deploy step left; a revision without URL is not there or not ready."""
    candidate = RevisionState(name=CANDIDATE, image="i", created=NOW, ready=True) if candidate_url else None
    baseline = RevisionState(name=BASELINE, image="i", created=NOW, ready=True) if baseline_url else None
    return DeployEvidence(
        window=WINDOW, service_url="", candidate=candidate, baseline=baseline,
        candidate_url=candidate_url, baseline_url=baseline_url,
    )  # fmt: skip


def ports(of: Plan) -> Ports:
    """Return ports with the real client of the chat service."""
    return Ports(
        cloud_run=UNREACHED, logs=UNREACHED, monitoring=UNREACHED, commands=UNREACHED,
        agents=AgentClient(of.probes, "runbook/test", {}), clock=SystemClock(),
        journal=UNREACHED,
    )  # fmt: skip
