"""Read and change one Cloud Run service."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import grpc
from google.api_core.exceptions import Cancelled, DeadlineExceeded, GoogleAPICallError, ServiceUnavailable
from google.api_core.future.polling import DEFAULT_POLLING
from google.api_core.operation import Operation
from google.api_core.retry import Retry, if_exception_type
from google.cloud import run_v2
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from google.protobuf.field_mask_pb2 import FieldMask

from runbook_lib.errors import RevisionNotReady, RunbookError
from runbook_lib.evidence import RevisionState, ServiceState, TrafficShare
from runbook_lib.gcp.channels import CALL_TIMEOUT_S, act, ask, translated
from runbook_lib.plan import Target

# An update that changes nothing makes no revision; gcloud, too, puts a nonce of its own into each deployment.
_NONCE = "validation-runbook/nonce"
# The client's own patience with an API that has gone is 600 s for each poll, whatever the operation's limit.
_PATIENCE = Retry(
    predicate=if_exception_type(ServiceUnavailable, DeadlineExceeded, Cancelled),
    initial=0.2,
    maximum=2,
    timeout=8,
)
_BYTES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9}
_BY_REVISION = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION


class CloudRunService:
    """Implements `ports.CloudRun`.

    Source: google.cloud.run.v2.Services and .Revisions,
    https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2
    """

    def __init__(self, target: Target, channel: grpc.Channel | None = None) -> None:
        self._parent = f"projects/{target.project}/locations/{target.region}"
        self._name = f"{self._parent}/services/{target.service}"
        self._service_id = target.service
        services = ServicesGrpcTransport(channel=channel) if channel else None
        revisions = RevisionsGrpcTransport(channel=channel) if channel else None
        self._services = run_v2.ServicesClient(transport=services)
        self._revisions = run_v2.RevisionsClient(transport=revisions)
        fast = DEFAULT_POLLING.with_delay(initial=0.02, maximum=0.1, multiplier=1.2)
        self._polling = fast if channel else DEFAULT_POLLING

    def service(self) -> ServiceState:
        """Return the service as it is now."""
        return _service_state(self._get())

    def revision(self, name: str) -> RevisionState:
        """Return one revision of the service."""
        full = f"{self._name}/revisions/{name}"
        return _revision_state(
            ask(
                "revisions.get",
                name,
                lambda: self._revisions.get_revision(name=full, timeout=CALL_TIMEOUT_S, retry=None),
            )
        )

    def revisions(self) -> tuple[RevisionState, ...]:
        """Return the service's revisions, newest first."""
        found = ask(
            "revisions.list",
            self._service_id,
            lambda: list(
                self._revisions.list_revisions(parent=self._name, timeout=CALL_TIMEOUT_S, retry=None)
            ),
        )
        states = [_revision_state(revision) for revision in found]
        return tuple(sorted(states, key=lambda state: state.created, reverse=True))

    def create(self, image: str, timeout_s: float) -> ServiceState:
        """Create the service with all traffic on its first revision and wait until it is ready."""
        service = run_v2.Service(template=run_v2.RevisionTemplate(containers=[run_v2.Container(image=image)]))
        operation = act(
            "services.create",
            self._service_id,
            lambda: self._services.create_service(
                parent=self._parent, service=service, service_id=self._service_id, timeout=CALL_TIMEOUT_S
            ),
        )
        self._finish("services.create", operation, timeout_s)
        return self.service()

    def deploy(self, image: str, env: dict[str, str], timeout_s: float) -> str:
        """Add a revision, leave the traffic table as it is, wait until ready; return its name."""
        service = self._get()
        before = _short(service.latest_created_revision)
        service.template.revision = ""
        service.template.annotations[_NONCE] = secrets.token_hex(4)
        container = service.template.containers[0]
        container.image = image
        kept = [variable for variable in container.env if variable.name not in env]
        container.env = kept + [run_v2.EnvVar(name=name, value=value) for name, value in env.items()]
        operation = self._update(service, "template")
        started = time.monotonic()
        try:
            self._await(operation, timeout_s)
        except (GoogleAPICallError, TimeoutError) as error:
            raise self._not_ready(before, error, time.monotonic() - started) from error
        return _short(self._get().latest_created_revision)

    def set_traffic(self, shares: Sequence[TrafficShare]) -> ServiceState:
        """Replace the traffic table (`url` is ignored) and wait until it is served."""
        service = self._get()
        service.traffic = [
            run_v2.TrafficTarget(
                type_=_BY_REVISION, revision=share.revision, percent=share.percent, tag=share.tag
            )
            for share in shares
        ]
        self._finish("services.update", self._update(service, "traffic"), 120)
        return self.service()

    def _get(self) -> run_v2.Service:
        return ask(
            "services.get",
            self._service_id,
            lambda: self._services.get_service(name=self._name, timeout=CALL_TIMEOUT_S, retry=None),
        )

    def _update(self, service: run_v2.Service, field: str) -> Operation:
        """Update one field; the service's etag goes along, so that a change in between is refused."""
        mask = FieldMask(paths=[field])
        return act(
            "services.update",
            self._service_id,
            lambda: self._services.update_service(service=service, update_mask=mask, timeout=CALL_TIMEOUT_S),
        )

    def _finish(self, call: str, operation: Operation, timeout_s: float) -> None:
        act(call, self._service_id, lambda: self._await(operation, timeout_s))

    def _await(self, operation: Operation, timeout_s: float) -> None:
        """Wait for the end of an operation.

        Raises:
            GoogleAPICallError: If the operation itself failed.
            CloudError: If it could not be asked.
            TimeoutError: If it is still running, or the API has gone.
        """
        refresh = partial(
            self._services.transport.operations_client.get_operation,
            operation.operation.name,
            timeout=CALL_TIMEOUT_S,
        )
        patient = Operation(  # type: ignore[no-untyped-call]
            operation.operation, refresh, operation.cancel, run_v2.Service, polling=self._polling
        )
        try:
            patient.result(timeout=timeout_s, retry=_PATIENCE)  # type: ignore[no-untyped-call]
        except GoogleAPICallError as error:
            if patient.operation.HasField("error"):
                raise
            raise translated("operations.get", self._service_id, error) from error

    def _not_ready(
        self, before: str, error: GoogleAPICallError | TimeoutError, waited_s: float
    ) -> RunbookError:
        """Return RevisionNotReady where the failed update made a revision, else the API's own refusal."""
        revision = _short(self._get().latest_created_revision)
        if isinstance(error, TimeoutError):
            return RevisionNotReady(revision, "still starting at the time limit", waited_s)
        if revision == before:
            return translated("services.update", self._service_id, error)
        return RevisionNotReady(revision, error.message, waited_s)


def _service_state(service: run_v2.Service) -> ServiceState:
    latest_ready = _short(service.latest_ready_revision)
    return ServiceState(
        name=_short(service.name),
        url=service.uri,
        generation=service.generation,
        traffic=tuple(
            TrafficShare(
                revision=status.revision or latest_ready,
                percent=status.percent,
                tag=status.tag,
                url=status.uri,
            )
            for status in service.traffic_statuses
        ),
        latest_created=_short(service.latest_created_revision),
        latest_ready=latest_ready,
        reconciling=service.reconciling,
        message=service.terminal_condition.message,
    )


def _revision_state(revision: run_v2.Revision) -> RevisionState:
    container = revision.containers[0]
    ready = next((condition for condition in revision.conditions if condition.type_ == "Ready"), None)
    decided = {
        run_v2.Condition.State.CONDITION_SUCCEEDED: True,
        run_v2.Condition.State.CONDITION_FAILED: False,
    }
    verdict = decided.get(ready.state) if ready else None
    return RevisionState(
        name=_short(revision.name),
        image=container.image,
        created=_time(revision.create_time),
        ready=verdict,
        settled=_time(ready.last_transition_time) if ready and verdict is not None else None,
        message=ready.message if ready else "",
        memory_limit_mib=_mib(container.resources.limits.get("memory", "")),
    )


def _time(stamp: Any) -> datetime:
    """Return a plain datetime for the vendor's subclass of it."""
    return datetime.fromtimestamp(stamp.timestamp(), tz=stamp.tzinfo)


def _short(name: str) -> str:
    return name.rpartition("/")[2]


def _mib(quantity: str) -> float | None:
    """Return a Kubernetes quantity such as `512Mi` in MiB, or None for none."""
    for unit, size in _BYTES.items():
        if quantity.endswith(unit):
            return float(quantity.removesuffix(unit)) * size / 2**20
    return float(quantity) / 2**20 if quantity else None
