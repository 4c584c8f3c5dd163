"""The v1 paths that `gcloud run` asks: Knative services, revisions and IAM policies, and a project's APIs.

Each call is translated to the v2 method of the same meaning; nothing is kept here but IAM policies.
Source: https://cloud.google.com/run/docs/reference/rest/v1
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import grpc
from aiohttp import web
from google.cloud import run_v2
from google.iam.v1 import iam_policy_pb2

from .errors import ApiError, invalid, not_found
from .knative import API_VERSION, list_object, revision_object, service_object
from .knative_fields import v1_field
from .knative_write import service_from, service_id
from .label_selector import selects
from .names import Place
from .paging import page_of
from .rest import error_response, json_response
from .revisions_api import newest_first
from .state import RunState, Service
from .transcoding import PathTemplate, parse_json
from .wire import Before, Message, Method

_SERVICES, _REVISIONS = "google.cloud.run.v2.Services", "google.cloud.run.v2.Revisions"
_PROJECTS = "google.cloud.resourcemanager.v3.Projects"
_REGION_HOST = re.compile(r"(?P<region>[a-z]+-[a-z]+\d+)-run\..+")
_PAGE_SIZE = 500
_EVERYWHERE = "-"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One HTTP call with the place that its path and host name."""

    place: Place
    name: str
    request: web.Request

    @property
    def full_name(self) -> str:
        """Full v2 name of the service in the path."""
        return f"{self.place}/services/{self.name}"

    @property
    def query(self) -> dict[str, str]:
        """Parameters after the question mark."""
        return dict(self.request.query)


Handle = Callable[[Call], Awaitable[dict[str, Any]]]


class KnativeFace:
    """Answers v1 calls by calling the methods of the table."""

    def __init__(self, state: RunState, methods: Iterable[Method], before: Before) -> None:
        self._state = state
        self._methods = {(method.service, method.name): method for method in methods}
        self._before = before
        self._policies: dict[str, dict[str, Any]] = {}
        self._routes = [
            (verb, PathTemplate(template), handle)
            for verb, paths, handle in self._table()
            for template in _both_forms(paths)
        ]

    def _table(self) -> list[tuple[str, str, Handle]]:
        return [
            ("GET", "services", self.list_services),
            ("POST", "services", self.create_service),
            ("GET", "services/{name=*}", self.get_service),
            ("PUT", "services/{name=*}", self.replace_service),
            ("DELETE", "services/{name=*}", self.delete_service),
            ("GET", "revisions", self.list_revisions),
            ("GET", "revisions/{name=*}", self.get_revision),
            ("DELETE", "revisions/{name=*}", self.delete_revision),
            ("POST", "services/{name=*}:testIamPermissions", self.test_permissions),
            ("GET", "services/{name=*}:getIamPolicy", self.get_policy),
            ("POST", "services/{name=*}:setIamPolicy", self.set_policy),
        ]

    def find(self, request: web.Request) -> Callable[[], Awaitable[web.Response]] | None:
        """Return what answers this call, or None when it is no v1 call."""
        for verb, template, handle in self._routes:
            variables = template.match(request.rel_url.raw_path) if verb == request.method else None
            if variables is not None:
                return _answering(handle, variables, request)
        return None

    async def list_services(self, call: Call) -> dict[str, Any]:
        """Return the services of a region, or of all regions, as a ServiceList."""
        await self._before(self._methods[_SERVICES, "ListServices"])
        messages = [service.message for service in self._within(call)]
        return _page(call, "ServiceList", [(message.name, service_object(message)) for message in messages])

    async def list_revisions(self, call: Call) -> dict[str, Any]:
        """Return revisions as a RevisionList, newest first; `labelSelector` chooses a service's own."""
        await self._before(self._methods[_REVISIONS, "ListRevisions"])
        messages = [each.message for service in self._within(call) for each in service.revisions.values()]
        keyed = [(newest_first(message), revision_object(message)) for message in messages]
        return _page(call, "RevisionList", keyed)

    async def get_service(self, call: Call) -> dict[str, Any]:
        """Return a service."""
        request = run_v2.GetServiceRequest.pb()(name=call.full_name)
        return service_object(await self._run(_SERVICES, "GetService", request))

    async def create_service(self, call: Call) -> dict[str, Any]:
        """Create a service; it becomes ready later, as its conditions tell."""
        document = parse_json(await call.request.read())
        request = run_v2.CreateServiceRequest.pb()(
            parent=str(call.place),
            service_id=service_id(document),
            service=service_from(document, ""),
            validate_only=_dry_run(call),
        )
        return _changed(await self._run(_SERVICES, "CreateService", request))

    async def replace_service(self, call: Call) -> dict[str, Any]:
        """Replace a service's whole specification."""
        document = parse_json(await call.request.read())
        request = run_v2.UpdateServiceRequest.pb()(
            service=service_from(document, call.full_name), validate_only=_dry_run(call)
        )
        return _changed(await self._run(_SERVICES, "UpdateService", request))

    async def delete_service(self, call: Call) -> dict[str, Any]:
        """Delete a service."""
        request = run_v2.DeleteServiceRequest.pb()(name=call.full_name)
        await self._run(_SERVICES, "DeleteService", request)
        return _success()

    async def get_revision(self, call: Call) -> dict[str, Any]:
        """Return a revision."""
        request = run_v2.GetRevisionRequest.pb()(name=self._revision_name(call))
        return revision_object(await self._run(_REVISIONS, "GetRevision", request))

    async def delete_revision(self, call: Call) -> dict[str, Any]:
        """Delete a revision that nothing leads to."""
        request = run_v2.DeleteRevisionRequest.pb()(name=self._revision_name(call))
        await self._run(_REVISIONS, "DeleteRevision", request)
        return _success()

    async def test_permissions(self, call: Call) -> dict[str, Any]:
        """Grant what no fault forbids, also on a service that gcloud is about to make: it asks before."""
        document = parse_json(await call.request.read())
        asked = document.get("permissions") or call.request.query.getall("permissions", [])
        request = iam_policy_pb2.TestIamPermissionsRequest(
            resource=f"projects/{call.place.project}", permissions=asked
        )
        granted = await self._run(_PROJECTS, "TestIamPermissions", request)
        return {"permissions": list(granted.permissions)}

    async def get_policy(self, call: Call) -> dict[str, Any]:
        """Return a service's IAM policy as it was last set."""
        self._state.service(call.full_name)
        return self._policies.get(call.full_name, {"version": 1, "etag": "BwAAAAAAAAA="})

    async def set_policy(self, call: Call) -> dict[str, Any]:
        """Keep a service's IAM policy; it has no effect on who may call the service."""
        self._state.service(call.full_name)
        policy = parse_json(await call.request.read()).get("policy") or {}
        self._policies[call.full_name] = {"version": 1, **policy}
        return self._policies[call.full_name]

    async def _run(self, service: str, name: str, request: Message) -> Message:
        method = self._methods[service, name]
        await self._before(method)
        return await method.handle(request)

    def _within(self, call: Call) -> list[Service]:
        if call.place.location != _EVERYWHERE:
            return self._state.services_in(call.place)
        own = f"projects/{call.place.project}/"
        return [service for name, service in sorted(self._state.services.items()) if name.startswith(own)]

    def _revision_name(self, call: Call) -> str:
        for service in self._within(call):
            if call.name in service.revisions:
                return service.revision_name(call.name)
        raise not_found(f"{call.place}/revisions/{call.name}")


async def service_usage(request: web.Request) -> web.Response:
    """Say that an API is enabled in a project: here all of them are."""
    project, api = request.match_info["project"], request.match_info["api"]
    name = f"projects/{project}/services/{api}"
    return json_response({"name": name, "parent": f"projects/{project}", "state": "ENABLED"})


def _both_forms(path: str) -> list[str]:
    """Knative's own paths leave the region to the host name; the others name it."""
    forms = [f"/v1/projects/{{project=*}}/locations/{{location=*}}/{path}"]
    if ":" not in path:
        forms.append(f"/apis/{API_VERSION}/namespaces/{{project=*}}/{path}")
    return forms


def _answering(
    handle: Handle, variables: dict[str, str], request: web.Request
) -> Callable[[], Awaitable[web.Response]]:
    async def answer() -> web.Response:
        try:
            location = variables.get("location") or _region(request)
            place = Place(project=variables["project"], location=location)
            return json_response(
                await handle(Call(place=place, name=variables.get("name", ""), request=request))
            )
        except ApiError as error:
            return error_response(_in_v1_terms(error))

    return answer


def _in_v1_terms(error: ApiError) -> ApiError:
    if error.field is not None:
        name = v1_field(error.field)
        return ApiError(error.code, error.message.replace(error.field, name), field=name)
    # gcloud repeats every 5xx for half a minute: what will never work is answered as a wrong argument.
    if error.code is grpc.StatusCode.UNIMPLEMENTED:
        return ApiError(grpc.StatusCode.INVALID_ARGUMENT, error.message)
    return error


def _region(request: web.Request) -> str:
    host = request.url.host or ""
    found = _REGION_HOST.fullmatch(host)
    if found is None:
        raise invalid("host", f"'{host}' names no region: call it as REGION-run.…, or by /v1/projects/…")
    return found["region"]


def _changed(operation: Message) -> dict[str, Any]:
    service = run_v2.Service.pb()()
    operation.metadata.Unpack(service)
    return service_object(service)


def _dry_run(call: Call) -> bool:
    return call.query.get("dryRun") == "all"


def _success() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Status", "status": "Success"}


def _page(call: Call, kind: str, keyed: list[tuple[Any, dict[str, Any]]]) -> dict[str, Any]:
    """Return one page of the objects that the call's selector chooses, in the order of their keys."""
    selector = call.query.get("labelSelector", "")
    chosen = [pair for pair in keyed if selects(selector, pair[1]["metadata"]["labels"])]
    page, token = page_of(chosen, lambda pair: pair[0], _page_request(call, selector), _PAGE_SIZE)
    return list_object(kind, [shown for _, shown in page], token)


def _page_request(call: Call, selector: str) -> Message:
    limit = call.query.get("limit", "0")
    if not limit.isdigit():
        raise invalid("limit", f"'{limit}' is no whole number")
    return run_v2.ListServicesRequest.pb()(
        parent=f"{call.place} {selector}", page_size=int(limit), page_token=call.query.get("continue", "")
    )
