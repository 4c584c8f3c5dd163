"""Calls on what is there, or is not, are refused as their pages say, and change nothing."""

from typing import Any

import api_pages as pages
import pytest
from emulator_cloud import LATEST, Cloud
from google.api_core.exceptions import Aborted, AlreadyExists, FailedPrecondition, NotFound
from google.cloud import run_v2
from rows import Call, Refusal, a_service, refusals

PARENT = "projects/conformance/locations/us-central1"
EVERYWHERE = "projects/conformance/locations/-"
STANDING = f"{PARENT}/services/standing"
ABSENT = f"{PARENT}/services/absent"
SERVING, NEWEST = f"{STANDING}/revisions/standing-a", f"{STANDING}/revisions/standing-b"
GARBLED = "garbled"
NOWHERE = f"{STANDING}/revisions/standing-z"


def get(name: str) -> Call:
    """Read a service."""
    return lambda cloud: cloud.services.get_service(name=name, retry=None)


def list_services(**request: Any) -> Call:
    """List services."""
    return lambda cloud: cloud.services.list_services(request={"parent": PARENT, **request}, retry=None)


def update(name: str = STANDING, mask: tuple[str, ...] = (), **fields: Any) -> Call:
    """Change a service."""
    changed = a_service(name=name, **fields)
    request = {"service": changed, "update_mask": {"paths": list(mask)}}
    return lambda cloud: cloud.services.update_service(request=request, retry=None)


def delete(name: str, etag: str = "") -> Call:
    """Delete a service."""
    return lambda cloud: cloud.services.delete_service(request={"name": name, "etag": etag}, retry=None)


def get_revision(name: str) -> Call:
    """Read a revision."""
    return lambda cloud: cloud.revisions.get_revision(name=name, retry=None)


def list_revisions(**request: Any) -> Call:
    """List revisions."""
    return lambda cloud: cloud.revisions.list_revisions(request={"parent": STANDING, **request}, retry=None)


def delete_revision(name: str, etag: str = "") -> Call:
    """Delete a revision."""
    return lambda cloud: cloud.revisions.delete_revision(request={"name": name, "etag": etag}, retry=None)


def get_operation(name: str) -> Call:
    """Read an operation."""
    return lambda cloud: cloud.services.get_operation({"name": name}, retry=None)


def list_operations(**request: Any) -> Call:
    """List operations."""
    return lambda cloud: cloud.services.list_operations({"name": PARENT, **request}, retry=None)


def stolen_token(cloud: Cloud) -> Any:
    """Go on with a service's revisions by the token of another list."""
    page = next(iter(cloud.revisions.list_revisions(request={"parent": STANDING, "page_size": 1}).pages))
    return list_revisions(parent=f"{PARENT}/services/-", page_token=page.next_page_token)(cloud)


SERVICES = refusals(
    ("a service that is not there", pages.GET, get(ABSENT), "", f"'{ABSENT}' was not found", NotFound),
    ("a service's name without its region", pages.GET, get("services/a"), "name", "is not projects/PROJECT"),
    ("services of all regions", pages.LIST, list_services(parent=EVERYWHERE), "parent", "is not projects/"),
    ("a page below zero", pages.PAGING, list_services(page_size=-1), "page_size", "-1 is negative"),
    ("a garbled token", pages.LIST, list_services(page_token=GARBLED), "page_token", "gave out"),
    ("an update of none", pages.UPDATE, update(ABSENT), "", f"'{ABSENT}' was not found", NotFound),
    ("an update without a name", pages.UPDATE, update(""), "service.name", "is not projects/PROJECT"),
    ("a stale update", pages.ETAGS, update(etag='"stale"'), "", 'etag "stale" is stale', Aborted),
    ("a mask's strange field", pages.FIELD_MASKS, update(mask=("tempalte",)), "update_mask", "'tempalte'"),
    ("a mask's strange part", pages.FIELD_MASKS, update(mask=("template.x",)), "update_mask", "'template.x'"),
    (
        "a revision's name for another template", pages.TEMPLATE,
        update(template={"revision": "standing-a"}, container={"args": ["a"]}),
        "", "standing-a' already exists with another configuration", AlreadyExists,
    ),
    (
        "an update to 99 percent", pages.TRAFFIC, update(traffic=[{"type_": LATEST, "percent": 99}]),
        "service.traffic", "these sum to 99",
    ),
    ("a deletion of none", pages.DELETE, delete(ABSENT), "", f"'{ABSENT}' was not found", NotFound),
    ("a deletion without a name", pages.DELETE, delete(""), "name", "is not projects/PROJECT"),
    ("a stale deletion", pages.ETAGS, delete(STANDING, '"stale"'), "", 'etag "stale" is stale', Aborted),
)  # fmt: skip
REVISIONS = refusals(
    ("a revision that is not there", pages.GET_REVISION, get_revision(NOWHERE), "", "standing-z", NotFound),
    ("a revision of none", pages.GET_REVISION, get_revision(f"{ABSENT}/revisions/a"), "", "absent", NotFound),
    ("a revision without a name", pages.GET_REVISION, get_revision(STANDING), "name", "/revisions/REVISION"),
    ("revisions of none", pages.LIST_REVISIONS, list_revisions(parent=ABSENT), "", "absent", NotFound),
    ("revisions of a region", pages.LIST_REVISIONS, list_revisions(parent=PARENT), "parent", "/services/"),
    ("fewer than no revisions", pages.PAGING, list_revisions(page_size=-1), "page_size", "negative"),
    ("a garbled token there", pages.PAGING, list_revisions(page_token=GARBLED), "page_token", "gave out"),
    ("a token of another list", pages.PAGING, stolen_token, "page_token", "a call with other parameters"),
    ("a deletion of no revision", pages.DELETE_REVISION, delete_revision(NOWHERE), "", "not found", NotFound),
    ("a stale revision", pages.ETAGS, delete_revision(SERVING, '"stale"'), "", "etag is stale", Aborted),
    (
        "a deletion of the latest revision", pages.MANAGE_REVISIONS, delete_revision(NEWEST),
        "", "is the latest revision of its service and cannot be deleted", FailedPrecondition,
    ),
    (
        "a deletion of the serving revision", pages.DELETE_REVISION, delete_revision(SERVING),
        "", "has traffic or a tag", FailedPrecondition,
    ),
)  # fmt: skip
OPERATIONS = refusals(
    ("no such operation", pages.OPERATIONS, get_operation(f"{PARENT}/operations/none"), "", "none", NotFound),
    ("operations of no region", pages.LIST_OPERATIONS, list_operations(name="a"), "name", "is not projects/"),
    ("operations by name", pages.LIST_OPERATIONS, list_operations(filter="name:a"), "filter", "done:true"),
    ("a garbled token here", pages.PAGING, list_operations(page_token=GARBLED), "page_token", "gave out"),
)  # fmt: skip


@pytest.mark.usefixtures("standing")
@pytest.mark.parametrize("row", SERVICES + REVISIONS + OPERATIONS)
def test_a_wrong_call_is_refused_and_nothing_changes(cloud: Cloud, row: Refusal) -> None:
    row.check(cloud)


def test_the_table_names_the_service_that_stands(standing: run_v2.Service) -> None:
    assert standing.name == STANDING
