"""The REST wire serves the same methods as gRPC, by the published paths, and refuses in JSON."""

import socket
import time
from typing import Any
from urllib.parse import urlsplit

import api_pages as pages
import httpx
import local
import pytest
from emulator_cloud import PARENT, POLLING, PROJECT, Cloud, service
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2
from google.cloud.run_v2.services.revisions.transports import rest_base as revisions_rest
from google.cloud.run_v2.services.services.transports import ServicesRestTransport
from google.cloud.run_v2.services.services.transports import rest_base as services_rest
from patience import eventually

from runbook_lib.emulator.catalogue import Catalogue
from runbook_lib.emulator.http_rules import HTTP_RULES
from runbook_lib.emulator.server import Emulator, Settings
from runbook_lib.emulator.transcoding import PathTemplate

SERVICES = f"/v2/{PARENT}/services"


def call(cloud: Cloud, verb: str, path: str, **options: Any) -> httpx.Response:
    """Make one call on the emulator's HTTP address."""
    return local.request(verb, cloud.info["http"] + path, timeout=30, **options)


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Return HTTP code, status and the field at fault of an error in Google's JSON form."""
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    violations = [v for detail in error.get("details", []) for v in detail["fieldViolations"]]
    return answer.status_code, error["status"], violations[0]["field"] if violations else ""


def published(key: tuple[str, str]) -> set[tuple[str, str, str]]:
    """Return the HTTP annotations of a Cloud Run method as Google's own REST client carries them."""
    base: Any = services_rest._BaseServicesRestTransport
    if "Revisions" in key[0]:
        base = revisions_rest._BaseRevisionsRestTransport
    options = getattr(base, f"_Base{key[1]}")._get_http_options()
    return {(each["method"].upper(), each["uri"], each.get("body", "")) for each in options}


RUN_METHODS = [key for key in HTTP_RULES if key[0].startswith(("google.cloud.run", "google.longrunning"))]


@pytest.mark.conformance(pages.TRANSCODING)
@pytest.mark.parametrize("key", RUN_METHODS, ids=[key[1] for key in RUN_METHODS])
def test_the_http_rule_is_one_that_the_real_client_carries(key: tuple[str, str]) -> None:
    rule = HTTP_RULES[key]
    assert (rule.verb, rule.template, rule.body) in published(key)


def test_every_method_of_the_grpc_wire_has_an_http_rule() -> None:
    methods = Emulator(Settings(), Catalogue({})).methods()
    assert {(method.service, method.name) for method in methods} == set(HTTP_RULES)


@pytest.fixture
def rest(cloud: Cloud) -> run_v2.ServicesClient:
    """Google's own REST client."""
    host = urlsplit(cloud.info["http"]).netloc
    transport = ServicesRestTransport(host=host, url_scheme="http", credentials=AnonymousCredentials())
    return run_v2.ServicesClient(transport=transport)


@pytest.mark.conformance(pages.SERVICE)
def test_the_real_rest_client_creates_changes_lists_and_deletes(
    rest: run_v2.ServicesClient, cloud: Cloud
) -> None:
    made = rest.create_service(parent=PARENT, service_id="by-rest", service=service()).result(polling=POLLING)
    assert made.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED
    assert local.get(made.uri).json()["service"] == "by-rest"

    made.labels["team"] = "a"
    request = {"service": made, "update_mask": {"paths": ["labels"]}}
    assert dict(rest.update_service(request=request).result(polling=POLLING).labels) == {"team": "a"}
    assert made.name in [each.name for each in rest.list_services(parent=PARENT)]
    # What one wire wrote, the other one reads.
    assert dict(cloud.services.get_service(name=made.name).labels) == {"team": "a"}

    with pytest.raises(exceptions.Conflict, match="etag"):
        rest.update_service(service=made)
    rest.delete_service(name=made.name).result(polling=POLLING)
    with pytest.raises(exceptions.NotFound, match="by-rest"):
        rest.get_service(name=made.name)


@pytest.mark.conformance(pages.OPERATIONS)
def test_an_operation_is_watched_waited_for_and_listed(cloud: Cloud) -> None:
    body = {"template": {"containers": [{"image": "echo"}]}}
    started = call(cloud, "POST", f"{SERVICES}?serviceId=rest-operation", json=body).json()
    assert started["metadata"]["@type"] == "type.googleapis.com/google.cloud.run.v2.Service"

    done = call(cloud, "POST", f"/v2/{started['name']}:wait", json={"timeout": "30s"}).json()
    assert done["done"] is True
    assert done["response"]["name"] == f"{PARENT}/services/rest-operation"
    assert call(cloud, "GET", f"/v2/{started['name']}").json() == done
    listed = call(cloud, "GET", f"/v2/{PARENT}/operations").json()["operations"]
    assert started["name"] in [operation["name"] for operation in listed]


@pytest.mark.conformance(pages.SYSTEM_PARAMETERS)
def test_enums_are_names_unless_numbers_are_asked_for(cloud: Cloud) -> None:
    cloud.deploy("rest-enums")
    path = f"{SERVICES}/rest-enums"

    assert call(cloud, "GET", path).json()["ingress"] == "INGRESS_TRAFFIC_ALL"
    assert call(cloud, "GET", f"{path}?$alt=json;enum-encoding=int").json()["ingress"] == 1
    assert call(cloud, "GET", f"{path}?alt=json&prettyPrint=true").status_code == 200


@pytest.mark.conformance(pages.PAGING)
def test_pages_follow_each_other_by_query_parameters(cloud: Cloud) -> None:
    made = cloud.deploy("rest-pages")
    made.template.revision = "rest-pages-second"
    cloud.update(made)
    path = f"{SERVICES}/rest-pages/revisions"

    first = call(cloud, "GET", f"{path}?pageSize=1").json()
    second = call(cloud, "GET", f"{path}?page_size=1&pageToken={first['nextPageToken']}").json()
    assert first["revisions"][0]["name"].endswith("rest-pages-second")
    assert len(second["revisions"]) == 1
    assert "nextPageToken" not in second


@pytest.mark.conformance(pages.FIELD_MASKS)
def test_a_mask_in_the_query_limits_what_a_patch_changes(cloud: Cloud) -> None:
    made = cloud.deploy("rest-mask", env={"GREETING": "kept"})
    body = {"labels": {"team": "b"}, "template": {"containers": [{"image": "nothing"}]}}
    for mask in ("updateMask=labels", "update_mask=labels,launch_stage"):
        started = call(cloud, "PATCH", f"{SERVICES}/rest-mask?{mask}", json=body).json()
        call(cloud, "POST", f"/v2/{started['name']}:wait", json={})
    after = cloud.services.get_service(name=made.name)
    assert dict(after.labels) == {"team": "b"}
    assert after.template.containers[0].image == "echo"


@pytest.mark.conformance(pages.DELETE_REVISION)
def test_a_service_is_made_and_a_revision_is_deleted_by_http_alone(cloud: Cloud) -> None:
    made = cloud.deploy("rest-delete")
    old = made.latest_ready_revision
    made.template.revision = "rest-delete-second"
    cloud.update(made)

    assert refusal(call(cloud, "DELETE", f"{SERVICES}/rest-delete/revisions/rest-delete-second")) == (
        400, "FAILED_PRECONDITION", ""
    )  # fmt: skip
    assert call(cloud, "DELETE", f"/v2/{old}").json()["done"] is True
    assert refusal(call(cloud, "GET", f"/v2/{old}"))[:2] == (404, "NOT_FOUND")


@pytest.mark.conformance(pages.WRITE_ENTRIES)
def test_log_entries_are_written_and_listed(cloud: Cloud) -> None:
    log = f"projects/{PROJECT}/logs/by-rest"
    entries = [{"logName": log, "severity": "ERROR", "jsonPayload": {"n": 1}, "resource": {"type": "global"}}]
    assert call(cloud, "POST", "/v2/entries:write", json={"entries": entries}).json() == {}

    query = {"resourceNames": [f"projects/{PROJECT}"], "filter": f'logName="{log}"'}
    answer = call(cloud, "POST", "/v2/entries:list", json=query)
    (found,) = answer.json()["entries"]
    assert (found["severity"], found["jsonPayload"]) == ("ERROR", {"n": 1})
    assert '"n": 1\n' in answer.text


@pytest.mark.conformance(pages.LIST_TIME_SERIES)
def test_time_series_are_asked_for_by_nested_query_parameters(cloud: Cloud) -> None:
    made = cloud.deploy("rest-series")
    for _ in range(3):
        local.get(made.uri)
    now = time.time()
    query = {
        "filter": 'metric.type="run.googleapis.com/request_count" resource.labels.service_name="rest-series"',
        "interval.startTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 60)),
        "interval.endTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 60)),
        "aggregation.alignmentPeriod": "120s",
        "aggregation.perSeriesAligner": "ALIGN_DELTA",
        "aggregation.crossSeriesReducer": "REDUCE_SUM",
        "aggregation.groupByFields": ["resource.labels.service_name", "metric.labels.response_code"],
    }

    def counted() -> str:
        answer = call(cloud, "GET", f"/v3/projects/{PROJECT}/timeSeries", params=query).json()
        (series,) = answer.get("timeSeries") or [{}]
        assert series.get("metricKind", "DELTA") == "DELTA"
        return str(series["points"][0]["value"]["int64Value"]) if series else ""

    assert eventually(counted, lambda value: value == "3") == "3"


def test_a_call_through_a_proxy_setting_reaches_the_same_method(cloud: Cloud) -> None:
    address = urlsplit(cloud.info["http"])
    with socket.create_connection((address.hostname, address.port), timeout=10) as wire:
        lines = [f"GET http://run.local.test{SERVICES} HTTP/1.1", "Host: run.local.test", "Connection: close"]
        wire.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b"".join(iter(lambda: wire.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'"services"' in answer


REFUSALS = [
    ("GET", "/v2/projects/p/locations/us-central1/nothing", None, 404, "NOT_FOUND", ""),
    ("GET", "/v9/anything", None, 404, "NOT_FOUND", ""),
    ("PUT", f"{SERVICES}/a", {}, 404, "NOT_FOUND", ""),
    ("GET", f"{SERVICES}/absent", None, 404, "NOT_FOUND", ""),
    ("GET", f"{SERVICES}?pageSize=-1", None, 400, "INVALID_ARGUMENT", "page_size"),
    ("GET", f"{SERVICES}?pageSize=many", None, 400, "INVALID_ARGUMENT", "pageSize"),
    ("GET", f"{SERVICES}?showDeleted=maybe", None, 400, "INVALID_ARGUMENT", "showDeleted"),
    ("GET", f"{SERVICES}?colour=red", None, 400, "INVALID_ARGUMENT", "colour"),
    ("GET", f"{SERVICES}?parent=projects/x", None, 400, "INVALID_ARGUMENT", "parent"),
    ("GET", f"{SERVICES}?pageToken=garbled", None, 400, "INVALID_ARGUMENT", "page_token"),
    ("GET", SERVICES, {"a": 1}, 400, "INVALID_ARGUMENT", "body"),
    ("GET", "/v2/projects/p/locations/-/services", None, 400, "INVALID_ARGUMENT", "parent"),
    ("POST", f"{SERVICES}?serviceId=Bad_Name", {}, 400, "INVALID_ARGUMENT", "service_id"),
    ("POST", f"{SERVICES}?serviceId=a", {"nonsense": 1}, 400, "INVALID_ARGUMENT", "service.nonsense"),
    (
        "POST",
        f"{SERVICES}?serviceId=a",
        {"template": {"containers": [{"imgae": "echo"}]}},
        400,
        "INVALID_ARGUMENT",
        "service.template.containers[0].imgae",
    ),
    (
        "POST",
        f"{SERVICES}?serviceId=a",
        {"template": {"timeout": "soon", "containers": [{"image": "echo"}]}},
        400,
        "INVALID_ARGUMENT",
        "service.template.timeout",
    ),
    (
        "POST",
        f"{SERVICES}?serviceId=a",
        {
            "template": {"containers": [{"image": "echo"}]},
            "traffic": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 99}],
        },
        400,
        "INVALID_ARGUMENT",
        "service.traffic",
    ),
    ("POST", "/v2/entries:list", {"resourceNames": []}, 400, "INVALID_ARGUMENT", "resource_names"),
    (
        "POST",
        "/v2/entries:list",
        {"resourceNames": ["projects/p"], "pageSize": 1001},
        400,
        "INVALID_ARGUMENT",
        "page_size",
    ),
    (
        "POST",
        "/v2/entries:list",
        {"resourceNames": ["projects/p"], "filter": "a ="},
        400,
        "INVALID_ARGUMENT",
        "filter",
    ),
    ("POST", "/v2/entries:list?pageSize=1", {}, 400, "INVALID_ARGUMENT", "pageSize"),
    ("POST", "/v2/entries:list", [1], 400, "INVALID_ARGUMENT", "body"),
    ("GET", "/v3/projects/p/timeSeries?filter=x", None, 400, "INVALID_ARGUMENT", "interval.end_time"),
    ("POST", f"/v2/{PARENT}/operations/none:wait", {}, 404, "NOT_FOUND", ""),
]


@pytest.mark.conformance(pages.ERRORS)
@pytest.mark.refusal
@pytest.mark.parametrize(("verb", "path", "body", "code", "status", "field"), REFUSALS)
def test_a_wrong_call_is_refused_with_code_and_field(
    cloud: Cloud, verb: str, path: str, body: Any, code: int, status: str, field: str
) -> None:
    answer = call(cloud, verb, path, json=body) if body is not None else call(cloud, verb, path)
    assert refusal(answer) == (code, status, field)


def test_what_is_not_emulated_is_answered_501(cloud: Cloud) -> None:
    body = {"template": {"containers": [{"image": "echo"}, {"image": "echo"}]}}
    answer = call(cloud, "POST", f"{SERVICES}?serviceId=a", json=body)
    assert refusal(answer) == (501, "UNIMPLEMENTED", "")


@pytest.mark.conformance(pages.ERRORS)
@pytest.mark.refusal
def test_a_body_that_is_no_json_is_refused(cloud: Cloud) -> None:
    answer = call(cloud, "POST", "/v2/entries:list", content=b"{oops")
    assert refusal(answer) == (400, "INVALID_ARGUMENT", "body")
    assert "Invalid JSON payload received." in answer.json()["error"]["message"]


def test_an_operation_name_ends_before_its_custom_verb() -> None:
    template = PathTemplate("/v2/{name=projects/*/locations/*/operations/*}")
    assert template.match("/v2/projects/p/locations/l/operations/o:wait") is None
    assert template.match("/v2/projects/p/locations/l/operations/a%20b") == {
        "name": "projects/p/locations/l/operations/a b"
    }


def test_a_streaming_method_says_that_it_needs_grpc(cloud: Cloud) -> None:
    body = {"resourceNames": [f"projects/{PROJECT}"]}
    answer = local.post(f"{cloud.info['http']}/v2/entries:tail", json=body)
    error = answer.json()["error"]
    assert (error["code"], error["message"]) == (501, "TailLogEntries over REST is not emulated.")
