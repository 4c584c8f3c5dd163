"""Ask which permissions the caller has on one Cloud Run service and on its project; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from google.cloud import resourcemanager_v3, run_v2
from google.cloud.resourcemanager_v3.services.projects.transports import ProjectsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport

from runbook_lib.gcp.channels import CALL_TIMEOUT_S, ask
from runbook_lib.plan import Target


class GrantedPermissions:
    """Implements `ports.Permissions`. Neither question needs a permission itself.

    Source: google.cloud.run.v2.Services.TestIamPermissions and
    google.cloud.resourcemanager.v3.Projects.TestIamPermissions,
    https://cloud.google.com/resource-manager/reference/rest/v3/projects/testIamPermissions
    """

    def __init__(self, target: Target, channel: grpc.Channel | None = None) -> None:
        self._project, self._service = target.project, target.service
        self._parent = f"projects/{target.project}/locations/{target.region}"
        run = ServicesGrpcTransport(channel=channel) if channel else None
        projects = ProjectsGrpcTransport(channel=channel) if channel else None
        self._services = run_v2.ServicesClient(transport=run)
        self._projects = resourcemanager_v3.ProjectsClient(transport=projects)

    def on_service(self, asked: Iterable[str]) -> frozenset[str]:
        """Return those that the caller has on the service; where there is no such service, maybe none."""
        resource = f"{self._parent}/services/{self._service}"
        return _granted("services.testIamPermissions", self._service, self._services, resource, asked)

    def on_project(self, asked: Iterable[str]) -> frozenset[str]:
        """Return those that the caller has on the project."""
        resource = f"projects/{self._project}"
        return _granted("projects.testIamPermissions", self._project, self._projects, resource, asked)


def _granted(
    call: str,
    name: str,
    client: run_v2.ServicesClient | resourcemanager_v3.ProjectsClient,
    resource: str,
    asked: Iterable[str],
) -> frozenset[str]:
    request = {"resource": resource, "permissions": list(asked)}
    answer = ask(
        call,
        name,
        lambda: client.test_iam_permissions(request=request, timeout=CALL_TIMEOUT_S, retry=None),
    )
    return frozenset(answer.permissions)
