"""Long-running operations are shown, awaited and listed as their pages say."""

from dataclasses import replace
from typing import Any

import api_pages as pages
import pytest
from emulator_cloud import Cloud, service
from google.cloud import run_v2
from google.longrunning.operations_pb2 import Operation
from google.rpc import code_pb2

PROBES_FOR_5_S = {"tcp_socket": {}, "period_seconds": 5, "timeout_seconds": 1, "failure_threshold": 1}


@pytest.fixture(scope="module")
def cloud(cloud: Cloud) -> Cloud:
    """The clients in a project of this module's own, since operations are never forgotten."""
    return replace(cloud, project="operations")


def create(cloud: Cloud, service_id: str, made: run_v2.Service, **request: Any) -> Operation:
    """Begin a service; return the operation as it stood then."""
    call = {"parent": cloud.parent, "service_id": service_id, "service": made, **request}
    return cloud.services.create_service(request=call).operation


def wait(cloud: Cloud, operation: Operation, seconds: int) -> Operation:
    """Wait for an operation by the API's own method; its gRPC client leaves the answer in bytes."""
    request = {"name": operation.name, "timeout": {"seconds": seconds}}
    return Operation.FromString(cloud.services.wait_operation(request))


def listed(cloud: Cloud, **request: Any) -> list[str]:
    """Return the names on one page of the region's operations."""
    page = cloud.services.list_operations({"name": cloud.parent, **request})
    return [operation.name for operation in page.operations]


@pytest.mark.conformance(pages.OPERATIONS)
def test_an_operation_ends_with_the_service_as_response_and_metadata(cloud: Cloud) -> None:
    started = create(cloud, "good", service())
    assert not started.done
    ended = wait(cloud, started, 30)
    for packed in (started.metadata, ended.metadata, ended.response):
        shown = run_v2.Service.pb()()
        assert packed.Unpack(shown)
        assert shown.name == f"{cloud.parent}/services/good"
    assert ended.done
    assert cloud.services.get_operation({"name": started.name}) == ended


@pytest.mark.conformance(pages.OPERATIONS)
def test_an_operation_that_fails_ends_with_an_error_and_no_response(cloud: Cloud) -> None:
    ended = wait(cloud, create(cloud, "bad", service(image="exits")), 30)
    assert (ended.done, ended.WhichOneof("result")) == (True, "error")
    assert ended.error.code == code_pb2.FAILED_PRECONDITION
    assert "failed to start and listen" in ended.error.message


@pytest.mark.conformance(pages.OPERATIONS)
def test_waiting_ends_with_its_own_timeout_and_the_operation_goes_on(cloud: Cloud) -> None:
    started = create(cloud, "slow", service(image="deaf", startup_probe=PROBES_FOR_5_S))
    assert not wait(cloud, started, 0).done


@pytest.mark.conformance(pages.LIST_OPERATIONS)
def test_operations_are_listed_by_whether_they_are_done(cloud: Cloud) -> None:
    going_on = create(cloud, "deaf", service(image="deaf", startup_probe=PROBES_FOR_5_S)).name
    over = create(cloud, "checked", service(), validate_only=True).name
    assert going_on in listed(cloud, filter="done:false")
    assert over not in listed(cloud, filter="done:false")
    assert over in listed(cloud, filter="done:true")
    assert {going_on, over} <= set(listed(cloud))


@pytest.mark.conformance(pages.LIST_OPERATIONS)
def test_operations_come_in_pages_of_100_unless_fewer_are_asked_for(cloud: Cloud) -> None:
    paged = replace(cloud, project="many-operations")
    for _ in range(3):
        create(paged, "checked", service(), validate_only=True)
    first = paged.services.list_operations({"name": paged.parent, "page_size": 2})
    rest = listed(paged, page_token=first.next_page_token)
    assert (len(first.operations), len(rest)) == (2, 1)
    assert len(listed(paged, page_size=-1)) == len(listed(paged, page_size=0)) == 3
