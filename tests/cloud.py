"""One emulator for every test that needs a cloud, and on it a service of each test's own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import run_v2
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport

from runbook_lib.agent.client import AgentClient
from runbook_lib.clock import SystemClock
from runbook_lib.commands import LocalCommands
from runbook_lib.evidence import DeployEvidence, Measurement, Role, RollbackEvidence, StepEvidence
from runbook_lib.gcp import Cloud, connect_analytics
from runbook_lib.gcp.channels import channel_to
from runbook_lib.local_cloud import environment_of
from runbook_lib.plan import Endpoints, Plan, Target
from runbook_lib.ports import Ports
from runbook_lib.steps.deploy import deploy
from runbook_lib.steps.rollback import pair_of, roll_back

__all__ = ["emulator", "staging"]

PROJECT, REGION = "test-project", "us-central1"
HEALTHY = "sample-agent:healthy"
_CRITERION = {"id": "ready", "title": "ready", "metric": "deploy.ready", "at_least": 1}

T = TypeVar("T")


def emulator_command(verb: str, state_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run one of the emulator's own commands to its end."""
    argv = [sys.executable, "-m", "runbook_lib.emulator", verb, "--state-dir", str(state_dir), *options]
    return subprocess.run(argv, capture_output=True, text=True, timeout=90, check=True)


def start_emulator(state_dir: Path) -> Endpoints:
    """Start an emulator, or find the one that runs for this folder."""
    quick = ("--sample-period", "0.2", "--log-delay", "0", "--log-read-quota", "0")
    started = emulator_command("up", state_dir, "--json", *quick, "--idle-timeout", "600")
    document = json.loads(started.stdout)
    address, http = document["grpc"], document["http"].removeprefix("http://")
    return Endpoints(run=address, logging=address, monitoring=address, bigquery=http)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """The session's emulator; several folders import this fixture, and `up` gives all of them the same."""
    folder = tmp_path_factory.getbasetemp() / "cloud"
    yield start_emulator(folder)
    emulator_command("down", folder)


@pytest.fixture
def staging(emulator: Endpoints, tmp_path: Path) -> Iterator[Staging]:
    """A service name of the test's own; the service and its processes are gone afterwards."""
    mine = Staging(endpoints=emulator, service=f"svc-{secrets.token_hex(4)}", folder=tmp_path)
    yield mine
    mine.delete()


class Notes(dict[str, str]):
    """A journal in memory: what a deploy step that is begun again has to know."""

    def recall(self, name: str) -> str:
        """Return what was remembered."""
        return self.get(name, "")

    def remember(self, name: str, value: str) -> None:
        """Keep a value."""
        self[name] = value

    def key(self, name: str) -> str:
        """Return an idempotency key, the same one until the notes are cleared."""
        return self.setdefault(name, f"test.{secrets.token_hex(4)}")


@dataclass(frozen=True, kw_only=True)
class Staging:
    """One service on the emulator, and all that the steps reach it by."""

    endpoints: Endpoints
    service: str
    folder: Path
    journal: Notes = field(default_factory=lambda: Notes())

    @property
    def target(self) -> Target:
        """The service as a plan names it."""
        return Target(project=PROJECT, region=REGION, service=self.service, endpoints=self.endpoints)

    @property
    def cloud(self) -> Cloud:
        """The adapters."""
        return Cloud(self.target, self.endpoints)

    @property
    def client(self) -> run_v2.ServicesClient:
        """Google's own client, for what the adapters do not do."""
        return run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel_to(self.endpoints.run)))

    @property
    def name(self) -> str:
        """The service's full name."""
        return f"projects/{PROJECT}/locations/{REGION}/services/{self.service}"

    def create(self, image: str = HEALTHY) -> str:
        """Create the service and return its first revision."""
        return self.cloud.run.create(image, 60).latest_ready

    def delete(self) -> None:
        """Delete the service, if there is one."""
        try:
            self.client.delete_service(name=self.name, retry=None, timeout=30)
        except NotFound:
            return

    def plan(self, **sections: Any) -> Plan:
        """Return a plan with short times; a section's fields are laid over those of the small one."""
        target = self.target.model_dump() | sections.pop("target", {})
        small: dict[str, Any] = {
            "issue": {"title": "test"},
            "candidate": {"image": HEALTHY, "ready_timeout_s": 60},
            "logs": {"settle_s": 0.3, "clock_skew_s": 0},
            "metrics": {"settle_s": 0.5, "drain_s": 0.3, "idle_s": 1},
            "criteria": [_CRITERION],
        }
        if "command" in sections.get("candidate", {}):
            del small["candidate"]["image"]
        merged = {
            name: {**small.get(name, {}), **fields} if isinstance(fields, dict) else fields
            for name, fields in sections.items()
        }
        return Plan.model_validate({**small, **merged, "target": target})

    def ports(self, plan: Plan, **environment: str) -> Ports:
        """Return the real ports; the commands' environment leads to the same emulator."""
        env = {**os.environ, **environment_of(self.endpoints), **environment}
        clock, cloud = SystemClock(), self.cloud
        return Ports(
            cloud_run=cloud.run, logs=cloud.logging, monitoring=cloud.monitoring, clock=clock,
            analytics=connect_analytics(self.target, self.endpoints, plan.logs.analytics),
            agents=AgentClient(plan.probes, "runbook/test", {}), commands=LocalCommands(env, clock),
            journal=self.journal,
        )  # fmt: skip

    def deploy(self, plan: Plan | None = None) -> DeployEvidence:
        """Do the deploy step to its end."""
        plan = plan or self.plan()
        evidence = deploy(plan, self.ports(plan))
        self.journal.clear()
        return evidence

    def roll_back(self, plan: Plan, deployed: DeployEvidence) -> RollbackEvidence:
        """Do the rollback step."""
        return roll_back(plan, pair_of(deployed), self.ports(plan))

    def traffic(self) -> dict[tuple[str, str], int]:
        """Return the traffic that is served: percent by revision and tag."""
        return {(share.revision, share.tag): share.percent for share in self.cloud.run.service().traffic}

    def script(self, name: str, text: str) -> Path:
        """Write a script or a suite into the test's own folder."""
        file = self.folder / name
        file.write_text(text, encoding="utf-8")
        return file


def measured(evidence: StepEvidence, role: Role = "candidate") -> dict[str, Measurement]:
    """Return one role's measurements by their metric."""
    return {each.metric: each for each in evidence.measurements if each.role == role}
