"""Carries out what a service was asked to be: makes revisions, waits until they are ready, moves traffic."""

import random
import secrets
import string
import uuid
from dataclasses import dataclass

import grpc
from google.cloud import run_v2

from .catalogue import Catalogue
from .clock import timestamp
from .container import describe_container
from .errors import ApiError
from .instance import Surroundings
from .metric_store import MetricStore
from .names import RevisionId
from .operations import Operation
from .platform_log import PlatformLog
from .router import Router
from .runtime import NotStartable, RevisionRuntime
from .scaling import bounds
from .state import FAILED, RECONCILING, SUCCEEDED, Revision, RunState, Service, condition, set_condition
from .traffic import by_tag, resolve_traffic
from .wire import Message

_SUFFIX_LETTERS = string.ascii_lowercase + string.digits
# What a revision shares with its template, field by field of the same name.
_SHARED_FIELDS = [
    "scaling",
    "vpc_access",
    "timeout",
    "service_account",
    "containers",
    "volumes",
    "execution_environment",
    "encryption_key",
    "max_instance_request_concurrency",
    "service_mesh",
    "session_affinity",
    "node_selector",
    "labels",
    "annotations",
]


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Everything of the emulator that revisions need."""

    state: RunState
    catalogue: Catalogue
    surroundings: Surroundings
    log: PlatformLog
    metrics: MetricStore
    router: Router
    rng: random.Random


class Reconciler:
    """Brings services from what they are to what they should be."""

    def __init__(self, platform: Platform) -> None:
        self._p = platform

    def add_revision(self, service: Service) -> Revision:
        """Make the revision of the service's present template; nothing runs yet."""
        service.revision_count += 1
        name = service.message.template.revision or self._new_name(service)
        identity = RevisionId(
            project=service.id.project,
            location=service.id.location,
            service=service.id.service,
            revision=name,
        )
        revision = Revision(
            message=self._revision_message(service, name), runtime=self._runtime(service, identity)
        )
        service.revisions[name] = revision
        service.message.latest_created_revision = service.revision_name(name)
        return revision

    async def run(self, service: Service, revision: Revision | None, operation: Operation) -> None:
        """Carry out one change and end its operation."""
        async with service.lock:
            error = await self._make_ready(service, revision) if revision else None
            error = await self._route(service) or error
            self._conclude(service, error)
            operation.finish(service.message, error)

    async def _make_ready(self, service: Service, revision: Revision) -> ApiError | None:
        """Start the revision's first instance; return what kept it from becoming ready."""
        image = service.message.template.containers[0].image
        try:
            await revision.runtime.start_first()
        except NotStartable:
            error = _start_error(revision, image)
            self._mark_revision(revision, error)
            return error
        revision.ready = True
        self._mark_revision(revision, None)
        service.message.latest_ready_revision = revision.message.name
        return None

    async def _route(self, service: Service) -> ApiError | None:
        """Point traffic and tags where they should lead; on a refusal they stay where they are."""
        try:
            statuses = resolve_traffic(service)
        except ApiError as error:
            self._limit_instances(service)
            return error
        await self._open_tags(service, statuses)
        del service.message.traffic_statuses[:]
        service.message.traffic_statuses.extend(statuses)
        await self._close_tags(service, {status.tag for status in statuses})
        self._limit_instances(service)
        return None

    async def _open_tags(self, service: Service, statuses: list[Message]) -> None:
        for status in statuses:
            if status.tag and status.tag not in service.tag_listeners:
                service.tag_listeners[status.tag] = await self._p.router.open(by_tag(service, status.tag))
            if status.tag:
                status.uri = service.tag_listeners[status.tag].uri

    async def _close_tags(self, service: Service, wanted: set[str]) -> None:
        for tag in set(service.tag_listeners) - wanted:
            await service.tag_listeners.pop(tag).close()

    def _limit_instances(self, service: Service) -> None:
        """Tell each revision how many instances it keeps and may have, and whether anything leads to it."""
        for name, revision in service.revisions.items():
            limits = bounds(service.message, revision.message, name)
            revision.runtime.limit(limits)
            self._mark_active(revision, limits.reached)

    def _conclude(self, service: Service, error: ApiError | None) -> None:
        now, message = self._p.state.now_ns(), service.message
        text = error.message if error else ""
        state = FAILED if error else SUCCEEDED
        message.terminal_condition.CopyFrom(condition("Ready", state, now, text))
        set_condition(message, condition("ConfigurationsReady", state, now, text))
        set_condition(message, condition("RoutesReady", state, now, text))
        message.reconciling = False
        message.observed_generation = message.generation
        self._p.state.touch(message)

    def _mark_revision(self, revision: Revision, error: ApiError | None) -> None:
        now, message = self._p.state.now_ns(), revision.message
        revision.failure = error.message.split("traffic. ", 1)[-1] if error else ""
        for kind in ("Ready", "ContainerHealthy", "ContainerReady", "ResourcesAvailable"):
            set_condition(message, condition(kind, FAILED if error else SUCCEEDED, now, revision.failure))
        message.reconciling = False
        message.observed_generation = message.generation
        self._p.state.touch(message)
        state = "False" if error else "True"
        self._p.log.condition_changed(revision.runtime.id, state, revision.failure, failed=error is not None)

    def _mark_active(self, revision: Revision, active: bool) -> None:
        now = self._p.state.now_ns()
        if active:
            set_condition(revision.message, condition("Active", SUCCEEDED, now))
            return
        retired = condition("Active", FAILED, now, "Revision retired.")
        retired.severity = int(run_v2.Condition.Severity.INFO)
        retired.revision_reason = int(run_v2.Condition.RevisionReason.RETIRED)
        set_condition(revision.message, retired)

    def _revision_message(self, service: Service, name: str) -> Message:
        message = run_v2.Revision.pb()(
            name=service.revision_name(name),
            uid=str(uuid.uuid4()),
            generation=1,
            service=service.id.service,
            launch_stage=service.message.launch_stage,
            creator=service.message.last_modifier,
            reconciling=True,
        )
        _copy_shared(service.message.template, message)
        now = self._p.state.now_ns()
        message.create_time.CopyFrom(timestamp(now))
        set_condition(message, condition("Ready", RECONCILING, now))
        message.log_uri = f"{service.listener.uri}/"
        self._p.state.touch(message)
        return message

    def _runtime(self, service: Service, identity: RevisionId) -> RevisionRuntime:
        template = service.message.template
        image = self._p.catalogue.find(template.containers[0].image)
        container = describe_container(image, template, identity) if image else None
        return RevisionRuntime(identity, container, self._p.surroundings, self._p.metrics)

    def _new_name(self, service: Service) -> str:
        suffix = "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(3))
        return f"{service.id.service}-{service.revision_count:05d}-{suffix}"


def _copy_shared(template: Message, message: Message) -> None:
    filled = {field.name: value for field, value in template.ListFields() if field.name in _SHARED_FIELDS}
    for name, value in filled.items():
        if name in ("labels", "annotations"):
            getattr(message, name).update(value)
        elif hasattr(value, "extend"):
            getattr(message, name).extend(value)
        elif hasattr(value, "CopyFrom"):
            getattr(message, name).CopyFrom(value)
        else:
            setattr(message, name, value)


def _start_error(revision: Revision, image: str) -> ApiError:
    """Build the error that ends the operation; the sentences are those that Cloud Run's users search for."""
    name, container = revision.runtime.id.revision, revision.runtime.container
    prefix = f"Revision '{name}' is not ready and cannot serve traffic."
    if container is None:
        return ApiError(grpc.StatusCode.NOT_FOUND, f"{prefix} Image '{image}' not found.")
    return ApiError(
        grpc.StatusCode.FAILED_PRECONDITION,
        f"{prefix} The user-provided container failed to start and listen on the port defined provided by "
        f"the PORT={container.port} environment variable within the allocated timeout. This can happen when "
        "the container port is misconfigured or if the timeout is too short. The health check timeout can be "
        "extended. Logs for this revision might contain more information.",
    )
