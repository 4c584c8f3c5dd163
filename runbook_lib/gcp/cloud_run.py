"""Read and change one Cloud Run service."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock

import grpc
from google.api_core.exceptions import Cancelled, DeadlineExceeded, GoogleAPICallError, ServiceUnavailable
from google.api_core.future.polling import DEFAULT_POLLING
from google.api_core.operation import Operation
from google.api_core.retry import Retry, if_exception_type
from google.cloud import run_v2
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from google.protobuf.field_mask_pb2 import FieldMask

from runbook_lib.clock import Clock, SystemClock
from runbook_lib.errors import AlreadyExists, Conflict, RevisionNotReady
from runbook_lib.evidence import RevisionState, ServiceState, TrafficShare
from runbook_lib.gcp.channels import CALL_TIMEOUT_S, act, ask, translated
from runbook_lib.gcp.cloud_run_states import DEPLOYMENT, revision_state, service_state
from runbook_lib.gcp.repeating import repeat_unsettled, unsettled
from runbook_lib.plan import Target

_LEASE = "validation-runbook/lease"
_STILL_STARTING = "still starting at the time limit"
_CHANGE_LIMIT_S = 120
_AGAIN = "somebody changed the service in between: look at it, then run the step again"
# The client's own patience with an API that has gone is 600 s for each poll, whatever the operation's limit.
_PATIENCE = Retry(
    predicate=if_exception_type(ServiceUnavailable, DeadlineExceeded, Cancelled),
    initial=0.2,
    maximum=2,
    timeout=8,
)
_BY_REVISION = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION

Made = Callable[[run_v2.Service], bool]
Edit = Callable[[run_v2.Service], None]
Content = Callable[[run_v2.Service], object]


class CloudRunService:
    """Implements `ports.CloudRun`.

    Every change is safe to repeat: the service is asked whether it is made already, and the etag goes along,
    so that a request of an earlier attempt which arrives late is refused.

    Source: google.cloud.run.v2.Services and .Revisions,
    https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2
    """

    def __init__(
        self, target: Target, channel: grpc.Channel | None = None, clock: Clock | None = None
    ) -> None:
        self._parent = f"projects/{target.project}/locations/{target.region}"
        self._name = f"{self._parent}/services/{target.service}"
        self._service_id = target.service
        self._clock = clock or SystemClock()
        self._changing = Lock()  # a lease that is renewed meanwhile would make our own etag stale
        services = ServicesGrpcTransport(channel=channel) if channel else None
        revisions = RevisionsGrpcTransport(channel=channel) if channel else None
        self._services = run_v2.ServicesClient(transport=services)
        self._revisions = run_v2.RevisionsClient(transport=revisions)
        fast = DEFAULT_POLLING.with_delay(initial=0.02, maximum=0.1, multiplier=1.2)
        self._polling = fast if channel else DEFAULT_POLLING
        self._poll_s = 0.05 if channel else 1.0

    def service(self) -> ServiceState:
        """Return the service as it is now."""
        return service_state(self._get())

    def revision(self, name: str) -> RevisionState:
        """Return one revision of the service."""
        full = f"{self._name}/revisions/{name}"
        return revision_state(
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
        states = [revision_state(revision) for revision in found]
        return tuple(sorted(states, key=lambda state: state.created, reverse=True))

    def create(self, image: str, timeout_s: float) -> ServiceState:
        """Create the service with all traffic on its first revision, unless it is there; wait until ready."""
        template = run_v2.RevisionTemplate(containers=[run_v2.Container(image=image)])
        try:
            operation = act(
                "services.create",
                self._service_id,
                lambda: self._services.create_service(
                    parent=self._parent,
                    service=run_v2.Service(template=template),
                    service_id=self._service_id,
                    timeout=CALL_TIMEOUT_S,
                ),
            )
        except AlreadyExists:
            operation = None
        act("services.create", self._service_id, lambda: self._settle(operation, timeout_s))
        return self.service()

    def deploy(self, image: str, env: dict[str, str], timeout_s: float, key: str = "") -> str:
        """Add the revision of this key, unless it is there, and wait until it is ready; return its name."""
        key = key or secrets.token_hex(4)

        def edit(service: run_v2.Service) -> None:
            service.template.revision = ""
            service.template.annotations[DEPLOYMENT] = key
            container = service.template.containers[0]
            container.image = image
            kept = [variable for variable in container.env if variable.name not in env]
            container.env = kept + [run_v2.EnvVar(name=name, value=value) for name, value in env.items()]

        started_s = self._clock.monotonic_s()
        try:
            if self.deployed(key) is None:
                made: Made = lambda service: service.template.annotations.get(DEPLOYMENT) == key  # noqa: E731
                self._settle(self._change("template", made, edit), timeout_s)
            return self._ready(key, timeout_s, started_s)
        except (GoogleAPICallError, TimeoutError) as error:
            found = self.deployed(key)
            if found is None and isinstance(error, GoogleAPICallError):
                raise translated("services.update", self._service_id, error) from error
            said = error.message if isinstance(error, GoogleAPICallError) else _STILL_STARTING
            waited_s = self._clock.monotonic_s() - started_s
            raise RevisionNotReady(found.name if found else "", said, waited_s) from error

    def deployed(self, key: str) -> RevisionState | None:
        """Return the revision that the deployment of this key has made, or None."""
        return next((revision for revision in self.revisions() if revision.deployment == key), None)

    def set_traffic(self, shares: Sequence[TrafficShare]) -> ServiceState:
        """Replace the traffic table (`url` is ignored), unless it is as asked; wait until it is served."""
        wanted = [(share.revision, share.percent, share.tag) for share in shares]

        def edit(service: run_v2.Service) -> None:
            service.traffic = [
                run_v2.TrafficTarget(type_=_BY_REVISION, revision=revision, percent=percent, tag=tag)
                for revision, percent, tag in wanted
            ]

        def made(service: run_v2.Service) -> bool:
            asked = [(target.revision, target.percent, target.tag) for target in service.traffic]
            served = [(status.revision, status.percent, status.tag) for status in service.traffic_statuses]
            return asked == served == wanted

        operation = self._change("traffic", made, edit)
        act("services.update", self._service_id, lambda: self._settle(operation, _CHANGE_LIMIT_S))
        return self.service()

    def lease(self) -> str:
        """Return what the service says of who works on it, or an empty text."""
        return _lease(self._get())

    def swap_lease(self, before: str, after: str) -> bool:
        """Replace the lease if it still is `before`; say whether it was. An empty text is no lease."""

        def edit(service: run_v2.Service) -> None:
            if _lease(service) != before:
                raise _OtherLease
            service.annotations[_LEASE] = after
            if not after:
                del service.annotations[_LEASE]

        try:
            operation = self._change("annotations", lambda service: _lease(service) == after, edit, _nothing)
        except _OtherLease:
            return False
        act("services.update", self._service_id, lambda: self._settle(operation, _CHANGE_LIMIT_S))
        return True

    def _get(self) -> run_v2.Service:
        return ask(
            "services.get",
            self._service_id,
            lambda: self._services.get_service(name=self._name, timeout=CALL_TIMEOUT_S, retry=None),
        )

    def _change(self, field: str, made: Made, edit: Edit, content: Content | None = None) -> Operation | None:
        """Edit one field of the service, unless it is made; None where there was nothing to do.

        Args:
            content: What of the service must not have been changed by others between two attempts.
        """
        first: list[object] = []

        def attempt() -> Operation | None:
            service = self._get()
            if made(service):
                return None
            first.append((content or _content)(service))
            if first[0] != first[-1]:  # somebody's change came between two attempts: theirs is not undone
                raise Conflict("services.update", self._service_id, "ABORTED (changed by others)", _AGAIN)
            edit(service)
            with unsettled():
                return self._update(service, field)

        with self._changing:
            return repeat_unsettled(attempt)

    def _update(self, service: run_v2.Service, field: str) -> Operation:
        """Update one field; the service's etag goes along, so that a change in between is refused."""
        mask = FieldMask(paths=[field])
        return act(
            "services.update",
            self._service_id,
            lambda: self._services.update_service(
                service=service, update_mask=mask, timeout=CALL_TIMEOUT_S, retry=None
            ),
        )

    def _settle(self, operation: Operation | None, timeout_s: float) -> None:
        """Wait for the end of an operation or, where an earlier attempt began it, until the service rests."""
        if operation is not None:
            self._await(operation, timeout_s)
            return
        deadline_s = self._clock.monotonic_s() + timeout_s
        while self._get().reconciling:
            self._pause(deadline_s)

    def _ready(self, key: str, timeout_s: float, started_s: float) -> str:
        """Return the key's revision once it is ready.

        Raises:
            RevisionNotReady: If it will never be.
            TimeoutError: If it is still starting.
        """
        while (found := self.deployed(key)) is None or found.ready is None:
            if found is None and not self._get().reconciling:
                return ""
            self._pause(started_s + timeout_s)
        if not found.ready:
            raise RevisionNotReady(found.name, found.message, self._clock.monotonic_s() - started_s)
        return found.name

    def _pause(self, deadline_s: float) -> None:
        if self._clock.monotonic_s() >= deadline_s:
            raise TimeoutError
        self._clock.sleep(self._poll_s)

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


class _OtherLease(Exception):
    """The service's lease is not the one that was to be replaced."""


def _lease(service: run_v2.Service) -> str:
    return str(service.annotations.get(_LEASE, ""))


def _nothing(_: run_v2.Service) -> None:
    """Return what nobody can change: whoever replaces a lease has compared it already."""


def _content(service: run_v2.Service) -> bytes:
    """Return what is deployed and who gets the traffic; lease and the platform's own notes are not in it."""
    told = run_v2.Service(template=service.template, traffic=service.traffic)
    return bytes(run_v2.Service.pb(told).SerializeToString(deterministic=True))
