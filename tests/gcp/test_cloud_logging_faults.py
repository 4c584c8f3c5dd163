"""Under all of the emulator's faults at once the table equals the truth, entry for entry."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import local
import pytest
from cloud import emulator_command
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from patience import eventually
from scripted_log import START, entry

from runbook_lib.gcp.channels import channel_to
from runbook_lib.gcp.cloud_logging import CloudLogging
from runbook_lib.plan import Target
from runbook_lib.ports.logs import LogQuery

TARGET = Target(project="p", region="r", service="chat")
LABELS = {"service_name": "chat", "location": "r", "revision_name": "rev"}
COUNT = 2500
LATE_S = 20.0
FAULTS = (
    {"name": "late-logs", "rate": 0.3, "delay_s": LATE_S},
    {"name": "out-of-order-logs", "rate": 0.5, "delay_s": 1.0},
    {"name": "duplicate-logs", "rate": 0.2},
    {"name": "UNAVAILABLE", "rate": 0.2, "method": "LoggingServiceV2.ListLogEntries"},
    {"name": "RESOURCE_EXHAUSTED", "rate": 0.1, "method": "LoggingServiceV2.ListLogEntries"},
)


pytestmark = pytest.mark.xdist_group("waiting")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """An emulator of the test's own, for its faults would hit everybody's log; gives its gRPC address."""
    info = json.loads(emulator_command("up", tmp_path, "--json", "--idle-timeout", "120").stdout)
    for fault in FAULTS:
        assert local.post(f"{info['http']}/faults", json=fault).status_code == 200
    yield info["grpc"]
    emulator_command("down", tmp_path)


def test_late_doubled_disordered_and_refused_entries_are_all_there_once_and_in_order(address: str) -> None:
    truth = [f"line {number}" for number in range(COUNT)]
    resource = {"type": "cloud_run_revision", "labels": LABELS}
    client = LoggingServiceV2Client(transport=LoggingServiceV2GrpcTransport(channel=channel_to(address)))
    client.write_log_entries(entries=[entry(number, resource=resource) for number in range(COUNT)])

    reader = CloudLogging(TARGET, channel_to(address), requests_per_minute=10**6)
    query = LogQuery(revision="rev", start=START, end=START + timedelta(hours=1), limit=10**6)
    too_early = eventually(lambda: reader.read(query), lambda table: len(table) > COUNT / 2)
    time.sleep(LATE_S)
    table = eventually(lambda: reader.read(query), lambda table: len(table) >= COUNT, timeout_s=60)

    assert len(too_early) < 0.9 * COUNT
    assert list(table["message"]) == truth
    assert table["late_s"].max() > LATE_S
    assert reader.usage().repeated > COUNT / 10
