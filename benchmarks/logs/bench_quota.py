"""Read the logs of a validation with 50,000 entries under the read quota, which the emulator keeps.

A real candidate and a real baseline; their logs are filled up by the client's own `write_log_entries`. Done
twice: with the quota to ourselves, and after somebody else has used up half of it. Prints what it cost.
"""

from __future__ import annotations

import argparse
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from google.cloud.logging_v2.types import LogEntry

from runbook_lib.agent.client import AgentClient
from runbook_lib.clock import SystemClock
from runbook_lib.commands import LocalCommands
from runbook_lib.evidence import DeployEvidence
from runbook_lib.gcp import Cloud
from runbook_lib.gcp.channels import channel_to
from runbook_lib.plan import Endpoints, Plan
from runbook_lib.ports import Ports
from runbook_lib.steps.deploy import deploy
from runbook_lib.steps.run_logs import read_run_logs

EMULATOR = (sys.executable, "-m", "runbook_lib.emulator")
PROJECT, REGION, SERVICE = "bench", "us-central1", "chat"
IMAGE = "sample-agent:healthy"
CRITERION = {"id": "ready", "title": "ready", "metric": "deploy.ready", "at_least": 1}
BATCH = 500


@contextmanager
def emulator() -> Iterator[Endpoints]:
    """Run an emulator that keeps the quota of 60 reads a minute."""
    with tempfile.TemporaryDirectory() as folder:
        up = [*EMULATOR, "up", "--state-dir", folder, "--json", "--log-read-quota", "60"]
        started = json.loads(subprocess.run(up, check=True, capture_output=True, text=True).stdout)
        try:
            yield Endpoints(run=started["grpc"], logging=started["grpc"], monitoring=started["grpc"])
        finally:
            subprocess.run([*EMULATOR, "down", "--state-dir", folder], check=True, capture_output=True)


def plan_for(endpoints: Endpoints, entries: int) -> Plan:
    """Return the plan; more entries may be read than there are."""
    return Plan.model_validate({
        "issue": {"title": "quota"}, "candidate": {"image": IMAGE}, "criteria": [CRITERION],
        "target": {"project": PROJECT, "region": REGION, "service": SERVICE, "endpoints": endpoints},
        "logs": {"settle_s": 1, "max_entries": entries},
    })  # fmt: skip


class Once:
    """A journal for a step that nobody begins again."""

    def recall(self, name: str) -> str:
        """Know nothing."""
        return name and ""

    def remember(self, name: str, value: str) -> None:
        """Forget it."""

    def key(self, name: str) -> str:
        """Return a key that nobody has used."""
        return f"{name}-{secrets.token_hex(8)}"


def ports_for(plan: Plan, endpoints: Endpoints) -> Ports:
    """Return the real ports."""
    cloud, clock = Cloud(plan.target, endpoints), SystemClock()
    return Ports(
        cloud_run=cloud.run, logs=cloud.logging, monitoring=cloud.monitoring, clock=clock,
        agents=AgentClient(plan.probes, "bench", {}), commands=LocalCommands({}, clock), journal=Once(),
    )  # fmt: skip


def fill(client: LoggingServiceV2Client, deployed: DeployEvidence, count: int) -> None:
    """Write entries for both revisions, half each."""
    for state in filter(None, (deployed.candidate, deployed.baseline)):
        labels = {"service_name": SERVICE, "location": REGION, "revision_name": state.name}
        for first in range(0, count // 2, BATCH):
            client.write_log_entries(entries=[
                LogEntry(
                    log_name=f"projects/{PROJECT}/logs/run.googleapis.com%2Fstdout", severity="INFO",
                    resource={"type": "cloud_run_revision", "labels": labels}, timestamp=datetime.now(UTC),
                    text_payload=f"session {number} answered in {number % 700} ms",
                )
                for number in range(first, first + BATCH)
            ])  # fmt: skip


def measure(count: int, used_by_others: int) -> None:
    """Deploy, fill the logs, use up a part of the quota, read the logs, and print what that cost."""
    with emulator() as endpoints:
        plan = plan_for(endpoints, count)
        ports = ports_for(plan, endpoints)
        ports.cloud_run.create(IMAGE, 60)
        deployed = deploy(plan, ports)
        transport = LoggingServiceV2GrpcTransport(channel=channel_to(endpoints.logging))
        client = LoggingServiceV2Client(transport=transport)
        fill(client, deployed, count)
        for _ in range(used_by_others):
            client.list_log_entries({"resource_names": [f"projects/{PROJECT}"], "page_size": 1})
        since = time.perf_counter()
        seen = read_run_logs(plan, deployed, None, ports)
        took_s = time.perf_counter() - since
    lines = int(seen.entries["message"].str.startswith("session ").sum())
    assert lines == count, (lines, count)
    assert used_by_others or seen.evidence.read_requests <= 60, seen.evidence.read_requests
    print(
        f"{len(seen.entries):,} entries, {used_by_others} requests used by others: "
        f"{seen.evidence.read_requests} read requests, waited {seen.evidence.waited_s:.0f} s, "
        f"took {took_s:.1f} s; notes: {list(seen.evidence.notes)}",
        flush=True,
    )


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=50_000)
    count = parser.parse_args().entries
    for used_by_others in (0, 30):
        measure(count, used_by_others)


if __name__ == "__main__":
    main()
