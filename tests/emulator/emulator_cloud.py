"""The real Google clients on an emulator started by its own command, and what tests need around them."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc
import local
from google.api_core import exceptions
from google.api_core.future.polling import DEFAULT_POLLING
from google.cloud import logging_v2, monitoring_v3, run_v2
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from google.cloud.monitoring_v3.services.metric_service.transports import MetricServiceGrpcTransport
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from google.rpc import error_details_pb2

ROOT = Path(__file__).parents[2]
ECHO = Path(__file__).parent / "servers" / "echo.py"
PROJECT = "test-project"
PARENT = f"projects/{PROJECT}/locations/us-central1"
POLLING = DEFAULT_POLLING.with_delay(initial=0.02, maximum=0.05, multiplier=1.0).with_timeout(30)
LATEST = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
PINNED = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION

T = TypeVar("T")


def command(*arguments: str) -> list[str]:
    """Return the argv of an emulator command."""
    return [sys.executable, "-m", "runbook_lib.emulator", *arguments]


def run_command(*arguments: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run an emulator command to its end."""
    environment = {key: value for key, value in os.environ.items() if key != "RUNBOOK_EMULATOR_DIR"}
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=timeout_s, cwd=ROOT, env=environment
    )


def write_catalogue(folder: Path) -> Path:
    """Write a catalogue whose images are this folder's test server in several moods."""
    python = sys.executable
    images = {
        "echo": {"command": [python, str(ECHO)]},
        "echo-env": {"command": [python, str(ECHO)], "env": {"GREETING": "from the image"}},
        "exits": {"command": [python, str(ECHO), "--exit"]},
        "deaf": {"command": [python, "-c", "import time; time.sleep(600)"]},
        "with-child": {"command": [python, str(ECHO), "--child"]},
        "absent-command": {"command": [str(folder / "no-such-program")]},
    }
    path = folder / "catalogue.yaml"
    path.write_text(json.dumps({"images": images}), encoding="utf-8")
    return path


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Clients of a running emulator; the shortcuts below work in `project`."""

    info: dict[str, Any]
    services: run_v2.ServicesClient
    revisions: run_v2.RevisionsClient
    logs: LoggingServiceV2Client
    metrics: monitoring_v3.MetricServiceClient
    channel: grpc.Channel
    project: str = PROJECT

    @property
    def parent(self) -> str:
        """The project's region."""
        return f"projects/{self.project}/locations/us-central1"

    def pids(self, service_id: str) -> list[int]:
        """Return the process ids of a service's instances, as the emulator's own status shows them."""
        services = local.get(f"{self.info['http']}/status").json()["services"]
        found = [each for each in services if short(each["name"]) == service_id]
        return [pid for each in found for revision in each["revisions"] for pid in revision["pids"]]

    def deploy(self, service_id: str, **options: Any) -> run_v2.Service:
        """Create a service and wait until it is ready."""
        request = {"parent": self.parent, "service_id": service_id, "service": service(**options)}
        return self.services.create_service(request=request, retry=None).result(polling=POLLING)

    def update(self, changed: run_v2.Service, **request: Any) -> run_v2.Service:
        """Update a service and wait."""
        call = self.services.update_service(request={"service": changed, **request}, retry=None)
        return call.result(polling=POLLING)

    def entries(self, filter_: str, **request: Any) -> list[logging_v2.types.LogEntry]:
        """Return all entries that match, oldest first unless told otherwise."""
        names = [f"projects/{self.project}"]
        call = {"resource_names": names, "filter": filter_, "page_size": 1000, **request}
        return list(self.logs.list_log_entries(request=call, retry=None))

    def series(self, metric: str, service_id: str, **request: Any) -> list[monitoring_v3.TimeSeries]:
        """Return the last ten minutes of a Cloud Run metric of one service."""
        now = time.time()
        call = {
            "name": f"projects/{self.project}",
            "filter": f'metric.type = "run.googleapis.com/{metric}" '
            f'AND resource.labels.service_name = "{service_id}"',
            "interval": {"start_time": {"seconds": int(now - 600)}, "end_time": {"seconds": int(now + 1)}},
            **request,
        }
        return list(self.metrics.list_time_series(request=call, retry=None))


def service(image: str = "echo", env: dict[str, str] | None = None, **template: Any) -> run_v2.Service:
    """Build a service message; further options go to the container's or the template's fields."""
    container_fields = {"startup_probe", "liveness_probe", "resources", "command", "args", "ports"}
    container = {key: template.pop(key) for key in list(template) if key in container_fields}
    traffic = template.pop("traffic", [])
    variables = [run_v2.EnvVar(name=name, value=value) for name, value in (env or {}).items()]
    return run_v2.Service(
        template={"containers": [{"image": image, "env": variables, **container}], **template},
        traffic=traffic,
    )


def connect(info: dict[str, Any]) -> Cloud:
    """Open the real clients on the emulator's address."""
    channel = grpc.insecure_channel(info["grpc"], options=[("grpc.max_receive_message_length", -1)])
    return Cloud(
        info=info,
        services=run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel)),
        revisions=run_v2.RevisionsClient(transport=RevisionsGrpcTransport(channel=channel)),
        logs=LoggingServiceV2Client(transport=LoggingServiceV2GrpcTransport(channel=channel)),
        metrics=monitoring_v3.MetricServiceClient(transport=MetricServiceGrpcTransport(channel=channel)),
        channel=channel,
    )


def short(name: str) -> str:
    """Return the last part of a resource name."""
    return name.rsplit("/", 1)[-1]


def named_field(error: exceptions.GoogleAPICallError) -> str:
    """Return the field that a refusal names in its details."""
    details = [d for d in error.details if isinstance(d, error_details_pb2.BadRequest)]
    return str(details[0].field_violations[0].field)
