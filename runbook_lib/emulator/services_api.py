"""google.cloud.run.v2.Services: creates, shows, changes and deletes services.

Source: https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2#services
"""

import asyncio
import uuid
from collections.abc import Coroutine

from google.cloud import run_v2

from .clock import timestamp
from .errors import aborted, already_exists
from .names import RevisionId, check_service_id, parse_place, parse_service
from .operations import Operation, OperationsApi
from .paging import page_of
from .platform_log import EMULATOR_USER
from .reconciler import Platform, Reconciler
from .service_merge import merge_update
from .state import RECONCILING, Revision, Service, condition
from .traffic import by_percentage
from .validation import check_service, fill_defaults
from .wire import Message, Method

SERVICE = "google.cloud.run.v2.Services"
DEFAULT_PAGE_SIZE = 100


class ServicesApi:
    """Checks requests and hands the work to the reconciler, which ends the operation later."""

    def __init__(self, platform: Platform, operations: OperationsApi) -> None:
        self._p = platform
        self._state = platform.state
        self._operations = operations
        self._reconciler = Reconciler(platform)
        self._tasks: set[asyncio.Task[None]] = set()

    def methods(self) -> list[Method]:
        """Return the table of methods."""
        rows = (
            ("CreateService", run_v2.CreateServiceRequest, self.create),
            ("GetService", run_v2.GetServiceRequest, self.get),
            ("ListServices", run_v2.ListServicesRequest, self.list_page),
            ("UpdateService", run_v2.UpdateServiceRequest, self.update),
            ("DeleteService", run_v2.DeleteServiceRequest, self.delete),
        )
        return [Method(service=SERVICE, name=n, request=r.pb(), handle=h) for n, r, h in rows]

    async def get(self, request: Message) -> Message:
        """Return a service."""
        parse_service("name", request.name)
        return self._state.service(request.name).message

    async def list_page(self, request: Message) -> Message:
        """Return one page of a region's services."""
        place = parse_place("parent", request.parent)
        found = [service.message for service in self._state.services_in(place)]
        page, token = page_of(found, lambda message: message.name, request, DEFAULT_PAGE_SIZE)
        return run_v2.ListServicesResponse.pb()(services=page, next_page_token=token)

    async def create(self, request: Message) -> Message:
        """Create a service and its first revision."""
        place = parse_place("parent", request.parent)
        check_service_id(request.service_id)
        identity = RevisionId(
            project=place.project, location=place.location, service=request.service_id, revision=""
        )
        if identity.service_name in self._state.services:
            raise already_exists(identity.service_name)
        desired = run_v2.Service.pb()()
        merge_update(desired, request.service, [])
        fill_defaults(desired)
        check_service(request.service_id, desired)
        desired.name = identity.service_name
        if request.validate_only:
            return self._validated(identity, desired)
        self._p.log.activity(identity, f"{SERVICE}.CreateService", request)
        service = await self._register(identity, desired)
        return self._begin(service, self._reconciler.add_revision(service))

    async def update(self, request: Message) -> Message:
        """Change a service; a new template makes a new revision."""
        identity = parse_service("service.name", request.service.name)
        if request.allow_missing and request.service.name not in self._state.services:
            return await self._create_missing(identity, request)
        service = self._state.service(request.service.name)
        _check_etag(request.service.name, request.service.etag, service.message.etag)
        desired = run_v2.Service.pb()()
        desired.CopyFrom(service.message)
        merge_update(desired, request.service, list(request.update_mask.paths))
        fill_defaults(desired)
        check_service(identity.service, desired)
        needs_revision = _needs_revision(service, desired)
        if request.validate_only:
            return self._validated(identity, desired)
        self._p.log.activity(identity, f"{SERVICE}.UpdateService", request)
        return self._apply(service, desired, needs_revision)

    async def delete(self, request: Message) -> Message:
        """Delete a service with all its revisions."""
        identity = parse_service("name", request.name)
        service = self._state.service(request.name)
        _check_etag(request.name, request.etag, service.message.etag)
        if request.validate_only:
            return self._validated(identity, service.message)
        self._p.log.activity(identity, f"{SERVICE}.DeleteService", request)
        del self._state.services[request.name]
        service.message.delete_time.CopyFrom(timestamp(self._state.now_ns()))
        operation = self._operations.start(identity.place, service.message)
        self._spawn(self._remove(service, operation))
        return operation.message

    async def close(self, grace_s: float) -> None:
        """End every revision process."""
        for task in self._tasks:
            task.cancel()
        runtimes = [
            r.runtime for service in self._state.services.values() for r in service.revisions.values()
        ]
        await asyncio.gather(*(runtime.stop(grace_s) for runtime in runtimes))

    async def _create_missing(self, identity: RevisionId, request: Message) -> Message:
        return await self.create(
            run_v2.CreateServiceRequest.pb()(
                parent=str(identity.place),
                service_id=identity.service,
                service=request.service,
                validate_only=request.validate_only,
            )
        )

    async def _register(self, identity: RevisionId, message: Message) -> Service:
        now = timestamp(self._state.now_ns())
        message.uid, message.generation = str(uuid.uuid4()), 1
        message.creator = message.last_modifier = EMULATOR_USER
        message.create_time.CopyFrom(now)
        # The name is taken before the port is open: two creations at once must not both succeed.
        service = Service(id=identity, message=message, listener=None)  # type: ignore[arg-type]
        self._state.services[identity.service_name] = service
        service.listener = await self._p.router.open(by_percentage(service, self._p.rng))
        message.uri = service.listener.uri
        message.urls.append(message.uri)
        return service

    def _apply(self, service: Service, desired: Message, needs_revision: bool) -> Message:
        desired.generation += 1
        desired.last_modifier = EMULATOR_USER
        service.message.CopyFrom(desired)
        return self._begin(service, self._reconciler.add_revision(service) if needs_revision else None)

    def _begin(self, service: Service, revision: Revision | None) -> Message:
        message = service.message
        message.reconciling = True
        message.terminal_condition.CopyFrom(condition("Ready", RECONCILING, self._state.now_ns()))
        self._state.touch(message)
        operation = self._operations.start(service.id.place, message)
        self._spawn(self._reconciler.run(service, revision, operation))
        return operation.message

    async def _remove(self, service: Service, operation: Operation) -> None:
        async with service.lock:
            for listener in service.listeners():
                await listener.close()
            await asyncio.gather(*(revision.runtime.stop() for revision in service.revisions.values()))
        operation.finish(service.message)

    def _validated(self, identity: RevisionId, message: Message) -> Message:
        operation = self._operations.start(identity.place, message)
        operation.finish(message)
        return operation.message

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _check_etag(name: str, given: str, current: str) -> None:
    if given and given != current:
        raise aborted(
            f"{name}: the etag {given} is stale, the current one is {current}; read the service again."
        )


def _needs_revision(service: Service, desired: Message) -> bool:
    """Say whether the template changed in more than leaving out the present revision's name."""
    before, after = service.message.template, desired.template
    unnamed_before, unnamed_after = run_v2.RevisionTemplate.pb()(), run_v2.RevisionTemplate.pb()()
    unnamed_before.CopyFrom(before)
    unnamed_after.CopyFrom(after)
    unnamed_before.revision = unnamed_after.revision = ""
    same = unnamed_before == unnamed_after
    if after.revision and after.revision in service.revisions:
        current = service.message.latest_created_revision.rsplit("/", 1)[-1]
        if same and after.revision == current:
            return False
        raise already_exists(
            service.revision_name(after.revision),
            "already exists with another configuration; name a new revision",
        )
    return not same or bool(after.revision)
