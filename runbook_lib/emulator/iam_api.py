"""TestIamPermissions of services and projects: the one user may do everything that no fault forbids.

Source: https://cloud.google.com/run/docs/reference/rpc/google.iam.v1 and
https://cloud.google.com/resource-manager/reference/rpc/google.cloud.resourcemanager.v3#projects
"""

import re
from collections.abc import Callable

from google.iam.v1 import iam_policy_pb2

from .errors import invalid
from .names import parse_service
from .permissions import check_permission
from .services_api import SERVICE
from .state import RunState
from .wire import Message, Method

PROJECTS = "google.cloud.resourcemanager.v3.Projects"
_PROJECT = re.compile(r"projects/[^/]+")
_NAME = "TestIamPermissions"

Lacks = Callable[[str], bool]
"""Says whether a permission is missing: whether a fault has taken it away."""


class IamApi:
    """Tells which of the permissions asked for the one user has."""

    def __init__(self, state: RunState, lacks: Lacks) -> None:
        self._state = state
        self._lacks = lacks

    def methods(self) -> list[Method]:
        """Return the table of methods."""
        request = iam_policy_pb2.TestIamPermissionsRequest
        return [
            Method(service=SERVICE, name=_NAME, request=request, handle=self.on_service),
            Method(service=PROJECTS, name=_NAME, request=request, handle=self.on_project),
        ]

    async def on_service(self, request: Message) -> Message:
        """Answer for a service; of one that does not exist the caller has no permission."""
        parse_service("resource", request.resource)
        granted = self._granted(request)
        return granted if request.resource in self._state.services else type(granted)()

    async def on_project(self, request: Message) -> Message:
        """Answer for a project; every project exists here."""
        if not _PROJECT.fullmatch(request.resource):
            raise invalid("resource", f"'{request.resource}' is not projects/PROJECT")
        return self._granted(request)

    def _granted(self, request: Message) -> Message:
        for permission in request.permissions:
            check_permission(permission)
        granted = [permission for permission in request.permissions if not self._lacks(permission)]
        return iam_policy_pb2.TestIamPermissionsResponse(permissions=granted)
