"""What containers and the platform say becomes log entries, and the Logging API lists them as it should."""

import json
import time

import api_pages as pages
import local
import pytest
from emulator_cloud import PROJECT, Cloud
from google.api_core import exceptions
from google.cloud import logging_v2, run_v2
from google.cloud.audit import audit_log_pb2
from google.logging.type import log_severity_pb2
from google.protobuf import json_format
from patience import eventually

SEVERITY = log_severity_pb2.LogSeverity


def of(service_id: str, more: str = "") -> str:
    """Return a filter for one service."""
    return f'resource.type="cloud_run_revision" resource.labels.service_name="{service_id}" {more}'


@pytest.fixture(scope="module")
def speaker(cloud: Cloud) -> run_v2.Service:
    """A service that prints what it is sent."""
    return cloud.deploy("speaker")


def said(cloud: Cloud, speaker: run_v2.Service, line: str, marker: str) -> logging_v2.types.LogEntry:
    """Let the container print a line and return its entry."""
    local.post(f"{speaker.uri}/say", content=line.encode())
    query = of("speaker", f'log_id("run.googleapis.com/stdout") "{marker}"')
    return eventually(lambda: cloud.entries(query))[0]


@pytest.mark.conformance(pages.STRUCTURED_LOGGING)
def test_a_json_line_becomes_a_payload_with_its_severity_lifted(
    cloud: Cloud, speaker: run_v2.Service
) -> None:
    line = {"severity": "ERROR", "message": "json-marker", "n": 1.5, "deep": {"list": [1, "two"]}}
    entry = said(cloud, speaker, json.dumps(line), "json-marker")
    payload = json_format.MessageToDict(logging_v2.types.LogEntry.pb(entry).json_payload)

    assert entry.severity == SEVERITY.Value("ERROR")
    assert payload == {"message": "json-marker", "n": 1.5, "deep": {"list": [1.0, "two"]}}
    assert entry.text_payload == ""


@pytest.mark.conformance(pages.RUN_LOGGING)
def test_a_plain_line_becomes_text_without_severity(cloud: Cloud, speaker: run_v2.Service) -> None:
    entry = said(cloud, speaker, "plain-marker {not json", "plain-marker")
    assert entry.text_payload == "plain-marker {not json"
    assert entry.severity == SEVERITY.Value("DEFAULT")


@pytest.mark.conformance(pages.RUN_LOGGING)
def test_an_entry_names_its_resource_and_instance(cloud: Cloud, speaker: run_v2.Service) -> None:
    entry = said(cloud, speaker, "labels-marker", "labels-marker")
    revision = speaker.latest_ready_revision.rsplit("/", 1)[-1]

    assert entry.log_name == f"projects/{PROJECT}/logs/run.googleapis.com%2Fstdout"
    assert entry.resource.type == "cloud_run_revision"
    assert dict(entry.resource.labels) == {
        "project_id": PROJECT,
        "location": "us-central1",
        "service_name": "speaker",
        "revision_name": revision,
        "configuration_name": "speaker",
    }
    assert entry.labels["instanceId"]
    assert entry.insert_id
    assert entry.receive_timestamp >= entry.timestamp


@pytest.mark.conformance(pages.STRUCTURED_LOGGING)
def test_special_fields_of_a_json_line_are_lifted(cloud: Cloud, speaker: run_v2.Service) -> None:
    line = {
        "message": "lifted-marker",
        "time": "2026-01-02T03:04:05.678Z",
        "logging.googleapis.com/trace": "abc",
        "logging.googleapis.com/spanId": "def",
        "logging.googleapis.com/labels": {"tenant": "t1"},
        "httpRequest": {"requestMethod": "PUT", "status": 201},
    }
    entry = said(cloud, speaker, json.dumps(line), "lifted-marker")

    assert entry.timestamp.isoformat() == "2026-01-02T03:04:05.678000+00:00"
    assert (entry.trace, entry.span_id) == (f"projects/{PROJECT}/traces/abc", "def")
    assert entry.labels["tenant"] == "t1"
    assert (entry.http_request.request_method, entry.http_request.status) == ("PUT", 201)


@pytest.mark.conformance(pages.RUN_LOGGING)
def test_standard_error_has_a_log_of_its_own(cloud: Cloud, speaker: run_v2.Service) -> None:
    local.post(f"{speaker.uri}/complain", content=b"stderr-marker")
    entry = eventually(lambda: cloud.entries(of("speaker", "stderr-marker")))[0]
    assert entry.log_name.endswith("/run.googleapis.com%2Fstderr")


def test_a_line_beyond_the_limit_comes_in_pieces(cloud: Cloud, speaker: run_v2.Service) -> None:
    local.post(f"{speaker.uri}/say", content=b"long-marker" + b"z" * 700_000, timeout=20)
    query = of("speaker", 'log_id("run.googleapis.com/stdout") zzzz')
    pieces = eventually(
        lambda: cloud.entries(query), lambda found: sum(len(e.text_payload) for e in found) == 700_011
    )
    assert len(pieces) > 1


@pytest.mark.conformance(pages.HTTP_REQUEST)
def test_a_request_has_an_entry_with_its_figures(cloud: Cloud, speaker: run_v2.Service) -> None:
    local.post(
        f"{speaker.uri}/status/404?request-marker",
        content=b"12345",
        headers={"User-Agent": "tester", "Referer": "r"},
    )
    query = of("speaker", 'log_id("run.googleapis.com/requests") httpRequest.requestUrl:request-marker')
    entry = eventually(lambda: cloud.entries(query))[0]
    request = entry.http_request

    assert (request.request_method, request.status, request.protocol) == ("POST", 404, "HTTP/1.1")
    assert (request.user_agent, request.referer, request.remote_ip) == ("tester", "r", "127.0.0.1")
    assert request.response_size == len("as you wish")
    assert 0 <= request.latency.ToMilliseconds() < 10_000
    assert entry.severity == SEVERITY.Value("WARNING")
    assert entry.trace.startswith(f"projects/{PROJECT}/traces/")


def test_the_platform_tells_of_starts_probes_and_failures(cloud: Cloud) -> None:
    with pytest.raises(exceptions.FailedPrecondition):
        cloud.deploy("stumbles", image="exits")
    system = [
        entry.text_payload
        for entry in cloud.entries(of("stumbles", 'log_id("run.googleapis.com/varlog/system")'))
    ]
    critical = cloud.entries(of("stumbles", "severity=CRITICAL"))

    assert system[0] == "Starting new instance."
    assert "Container called exit(1)." in system
    assert any(text.endswith("The instance was not started.") for text in system)
    assert critical[0].json_payload["message"] == "cannot start"


@pytest.mark.conformance(pages.AUDIT)
def test_changes_leave_an_audit_trail(cloud: Cloud) -> None:
    made = cloud.deploy("audited")
    made.labels["a"] = "b"
    cloud.update(made)
    entries = cloud.entries(of("audited", 'log_id("cloudaudit.googleapis.com/activity")'))
    methods = []
    for entry in entries:
        audit = audit_log_pb2.AuditLog()
        assert logging_v2.types.LogEntry.pb(entry).proto_payload.Unpack(audit)
        methods.append(audit.method_name.rsplit(".", 1)[-1])
        assert audit.resource_name.endswith("/services/audited")
    assert methods == ["CreateService", "UpdateService"]
    ready = cloud.entries(of("audited", 'log_id("cloudaudit.googleapis.com/system_event") "changed to True"'))
    assert len(ready) == 1


def write(cloud: Cloud, log: str, count: int, **fields: object) -> None:
    """Write numbered entries, a millisecond apart."""
    started = time.time_ns()
    entries = []
    for index in range(count):
        entry = logging_v2.types.LogEntry(text_payload=f"line {index}", insert_id=f"{index:06d}", **fields)
        logging_v2.types.LogEntry.pb(entry).timestamp.FromNanoseconds(started + index * 1_000_000)
        entries.append(entry)
    cloud.logs.write_log_entries(
        log_name=f"projects/{PROJECT}/logs/{log}",
        resource={"type": "global"},
        labels={"common": "yes"},
        entries=entries,
    )


@pytest.mark.conformance(pages.LIST_ENTRIES)
def test_written_entries_are_listed_in_pages_in_either_order(cloud: Cloud) -> None:
    write(cloud, "paged", 120)
    texts = [f"line {index}" for index in range(120)]
    call = {"resource_names": [f"projects/{PROJECT}"], "filter": 'log_id("paged")'}

    default = cloud.logs.list_log_entries(request=call).pages
    assert [len(page.entries) for page in default] == [50, 50, 20]
    for order, expected in (("timestamp asc", texts), ("timestamp desc", texts[::-1])):
        listed = cloud.logs.list_log_entries(request={**call, "order_by": order, "page_size": 7})
        assert [entry.text_payload for entry in listed] == expected


@pytest.mark.conformance(pages.LIST_ENTRIES)
def test_entries_that_arrive_out_of_order_are_listed_by_time(cloud: Cloud) -> None:
    for second in (3, 1, 2):
        entry = logging_v2.types.LogEntry(text_payload=str(second))
        logging_v2.types.LogEntry.pb(entry).timestamp.FromJsonString(f"2026-06-01T00:00:0{second}Z")
        cloud.logs.write_log_entries(
            log_name=f"projects/{PROJECT}/logs/shuffled", resource={"type": "global"}, entries=[entry]
        )
    listed = cloud.entries(
        'log_id("shuffled") timestamp>="2026-06-01T00:00:00Z" timestamp<"2026-06-01T00:00:03Z"'
    )
    assert [entry.text_payload for entry in listed] == ["1", "2"]
