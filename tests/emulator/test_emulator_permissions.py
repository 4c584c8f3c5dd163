"""TestIamPermissions grants everything but what a fault takes away; whoever lacks it is refused."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import api_pages as pages
import local
import pytest
from emulator_cloud import PARENT, PROJECT, Cloud, named_field, run_command
from google.api_core import exceptions
from google.cloud import resourcemanager_v3
from google.cloud.logging_v2.types import LogEntry
from google.cloud.resourcemanager_v3.services.projects.transports import ProjectsGrpcTransport

from runbook_lib.emulator.permissions import PERMISSIONS

GET, UPDATE, LIST = "run.services.get", "run.services.update", "logging.logEntries.list"
SERVICE = f"{PARENT}/services/permitted"


@pytest.fixture
def faults(cloud: Cloud) -> Iterator[str]:
    """The faults' address; all are switched off afterwards."""
    url = f"{cloud.info['http']}/faults"
    yield url
    local.delete(url)


@pytest.fixture
def permitted(cloud: Cloud) -> str:
    """A service that exists."""
    with contextlib.suppress(exceptions.AlreadyExists):
        cloud.deploy("permitted")
    return SERVICE


def take_away(url: str, permission: str) -> None:
    """Switch the fault on."""
    answer = local.post(url, json={"name": "missing-permission", "permission": permission})
    assert answer.status_code == 200, answer.text


def on_service(cloud: Cloud, name: str, *asked: str) -> list[str]:
    request = {"resource": name, "permissions": list(asked)}
    return list(cloud.services.test_iam_permissions(request=request, retry=None).permissions)


def on_project(cloud: Cloud, name: str, *asked: str) -> list[str]:
    client = resourcemanager_v3.ProjectsClient(transport=ProjectsGrpcTransport(channel=cloud.channel))
    request = {"resource": name, "permissions": list(asked)}
    return list(client.test_iam_permissions(request=request, retry=None).permissions)


@pytest.mark.conformance(pages.TEST_PERMISSIONS)
def test_a_service_tells_which_of_the_permissions_the_caller_has(
    cloud: Cloud, permitted: str, faults: str
) -> None:
    assert on_service(cloud, permitted, GET, UPDATE) == [GET, UPDATE]
    take_away(faults, UPDATE)
    assert on_service(cloud, permitted, GET, UPDATE) == [GET]
    assert on_service(cloud, permitted) == []


@pytest.mark.conformance(pages.TEST_PERMISSIONS)
def test_on_a_service_that_does_not_exist_nobody_has_a_permission(cloud: Cloud) -> None:
    assert on_service(cloud, f"{PARENT}/services/nowhere", GET, UPDATE) == []


@pytest.mark.conformance(pages.PROJECT_PERMISSIONS)
def test_a_project_tells_which_of_the_permissions_the_caller_has(cloud: Cloud, faults: str) -> None:
    take_away(faults, "logging.*")
    assert on_project(cloud, f"projects/{PROJECT}", GET, LIST) == [GET]


@pytest.mark.conformance(pages.PROJECT_PERMISSIONS)
@pytest.mark.parametrize("path", ["/v2/" + SERVICE, f"/v3/projects/{PROJECT}", f"/v1/{SERVICE}"])
def test_rest_tells_the_same(cloud: Cloud, permitted: str, faults: str, path: str) -> None:
    take_away(faults, UPDATE)
    answer = local.post(f"{cloud.info['http']}{path}:testIamPermissions", json={"permissions": [GET, UPDATE]})
    assert (answer.status_code, answer.json()) == (200, {"permissions": [GET]})


@pytest.mark.refusal
@pytest.mark.parametrize(
    ("ask", "resource", "permission", "field"),
    [
        pytest.param(
            on_service, SERVICE, "run.services.*", "permissions",
            marks=pytest.mark.conformance(pages.TEST_PERMISSIONS), id="a wildcard on a service",
        ),
        pytest.param(
            on_project, f"projects/{PROJECT}", "*", "permissions",
            marks=pytest.mark.conformance(pages.PROJECT_PERMISSIONS), id="a wildcard on a project",
        ),
        pytest.param(
            on_service, f"projects/{PROJECT}", GET, "resource",
            marks=pytest.mark.conformance(pages.TEST_PERMISSIONS), id="no service's name",
        ),
        pytest.param(
            on_project, PROJECT, GET, "resource",
            marks=pytest.mark.conformance(pages.PROJECT_PERMISSIONS), id="no project's name",
        ),
    ],
)  # fmt: skip
def test_a_question_that_is_none_is_refused_by_its_field(
    cloud: Cloud, ask: Any, resource: str, permission: str, field: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument) as refused:
        ask(cloud, resource, permission)
    assert named_field(refused.value) == field


@pytest.mark.refusal
@pytest.mark.conformance(pages.PERMISSIONS)
def test_whoever_lacks_a_permission_is_refused_what_needs_it_and_nothing_else(
    cloud: Cloud, permitted: str, faults: str
) -> None:
    service = cloud.services.get_service(name=permitted)
    take_away(faults, UPDATE)
    take_away(faults, "logging.logEntries.create")

    with pytest.raises(exceptions.PermissionDenied, match=f"Permission '{UPDATE}' denied"):
        cloud.services.update_service(service=service, retry=None)
    assert cloud.services.get_service(name=permitted).etag == service.etag
    with pytest.raises(exceptions.PermissionDenied, match=r"'logging\.logEntries\.create' denied"):
        cloud.logs.write_log_entries(entries=[LogEntry(log_name=f"projects/{PROJECT}/logs/none")])
    assert local.delete(f"{cloud.info['http']}/v2/{permitted}/revisions/none").status_code == 404


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"name": "missing-permission"}, "permission"),
        ({"name": "missing-permission", "permission": "run.services.fly"}, "permission"),
        ({"name": "missing-permission", "permission": UPDATE, "method": "Services.*"}, "method"),
        ({"name": "slow", "permission": UPDATE}, "permission"),
    ],
)
def test_a_permission_that_cannot_be_taken_away_is_refused_with_its_field(
    faults: str, document: dict[str, Any], field: str
) -> None:
    answer = local.post(faults, json=document)
    assert answer.status_code == 400
    (detail,) = answer.json()["error"]["details"]
    assert detail["fieldViolations"][0]["field"] == field


def test_the_command_takes_permissions_away(cloud: Cloud, faults: str) -> None:
    arguments = ("missing-permission", "--permission", "run.services.*")
    done = run_command("faults", "add", *arguments, "--state-dir", str(Path(cloud.info["log"]).parent))
    shown = "missing-permission on run.services.*, rate 1, 0 hits so far\n"
    assert (done.returncode, done.stdout) == (0, shown)


def test_every_permission_is_one_of_a_method_that_the_emulator_has(cloud: Cloud) -> None:
    """A method that was renamed would be open to everybody."""
    answer = local.post(f"{cloud.info['http']}/faults", json={"name": "slow", "method": "None.None"})
    for service, name in PERMISSIONS:
        assert f"{service.rsplit('.', 1)[-1]}.{name}" in answer.json()["error"]["message"]
