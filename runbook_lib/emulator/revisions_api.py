"""google.cloud.run.v2.Revisions: shows and deletes revisions.

Source: https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2#revisions
"""

from google.cloud import run_v2

from .clock import timestamp, timestamp_ns
from .errors import aborted, failed_precondition, not_found
from .names import RevisionId, parse_revision, parse_service
from .operations import OperationsApi
from .paging import page_of
from .state import Revision, RunState, Service
from .wire import Message, Method

SERVICE = "google.cloud.run.v2.Revisions"
DEFAULT_PAGE_SIZE = 100


class RevisionsApi:
    """Answers from the services' revisions."""

    def __init__(self, state: RunState, operations: OperationsApi) -> None:
        self._state = state
        self._operations = operations

    def methods(self) -> list[Method]:
        """Return the table of methods."""
        rows = (
            ("GetRevision", run_v2.GetRevisionRequest, self.get),
            ("ListRevisions", run_v2.ListRevisionsRequest, self.list_page),
            ("DeleteRevision", run_v2.DeleteRevisionRequest, self.delete),
        )
        return [Method(service=SERVICE, name=n, request=r.pb(), handle=h) for n, r, h in rows]

    async def get(self, request: Message) -> Message:
        """Return a revision."""
        _, revision = self._find(request.name)
        return revision.message

    async def list_page(self, request: Message) -> Message:
        """Return one page of revisions, newest first; the service `-` means all of the region."""
        parent = parse_service("parent", request.parent)
        found = [
            revision.message for service in self._services(parent) for revision in service.revisions.values()
        ]
        page, token = page_of(found, newest_first, request, DEFAULT_PAGE_SIZE)
        return run_v2.ListRevisionsResponse.pb()(revisions=page, next_page_token=token)

    async def delete(self, request: Message) -> Message:
        """Delete a revision that serves nothing and is not the latest."""
        service, revision = self._find(request.name)
        if request.etag and request.etag != revision.message.etag:
            raise aborted(f"{request.name}: the etag is stale; read the revision again")
        _check_deletable(service, request.name)
        result = run_v2.Revision.pb()()
        result.CopyFrom(revision.message)
        result.delete_time.CopyFrom(timestamp(self._state.now_ns()))
        operation = self._operations.start(service.id.place, result)
        if not request.validate_only:
            del service.revisions[revision.runtime.id.revision]
            await revision.runtime.stop()
        operation.finish(result)
        return operation.message

    def _services(self, parent: RevisionId) -> list[Service]:
        if parent.service == "-":
            return self._state.services_in(parent.place)
        return [self._state.service(parent.service_name)]

    def _find(self, name: str) -> tuple[Service, Revision]:
        parsed = parse_revision("name", name)
        service = self._state.services.get(parsed.service_name)
        if service is None or parsed.revision not in service.revisions:
            raise not_found(name)
        return service, service.revisions[parsed.revision]


def _check_deletable(service: Service, name: str) -> None:
    short = name.rsplit("/", 1)[1]
    if service.message.latest_created_revision == name:
        raise failed_precondition(f"{name} is the latest revision of its service and cannot be deleted.")
    routed = {status.revision for status in service.message.traffic_statuses}
    routed |= {target.revision for target in service.message.traffic}
    if short in routed:
        raise failed_precondition(f"{name} has traffic or a tag; take both away before deleting it.")


def newest_first(revision: Message) -> list[object]:
    """Return the key that orders revisions as the list calls show them."""
    return [revision.service, -timestamp_ns(revision.create_time), revision.name]
