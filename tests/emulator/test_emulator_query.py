"""The filter language is parsed and evaluated as its documentation defines it."""

import pytest
from google.cloud.audit import audit_log_pb2
from google.cloud.logging_v2.types import LogEntry

from runbook_lib.emulator.errors import ApiError
from runbook_lib.emulator.log_filter import compile_filter
from runbook_lib.emulator.query import And, Comparison, Not, Or, parse


def an_entry() -> object:
    """Return an entry with something in every kind of field."""
    entry = LogEntry.pb()(
        log_name="projects/p/logs/run.googleapis.com%2Fstdout",
        resource={
            "type": "cloud_run_revision",
            "labels": {"service_name": "Backend", "location": "us-central1"},
        },
        severity=400,
        insert_id="abc-1",
        labels={"instanceId": "i1", "k8s.io/app": "web"},
        trace="projects/p/traces/t1",
        trace_sampled=True,
        http_request={"request_method": "GET", "status": 503, "request_url": "http://x/health"},
    )
    entry.timestamp.FromJsonString("2026-03-01T10:00:00.123456789Z")
    entry.http_request.latency.FromMilliseconds(1500)
    entry.json_payload.update(
        {
            "message": "Session lost",
            "n": 3,
            "ok": True,
            "none": None,
            "user": {"id": "u1"},
            "tags": ["a", "b"],
        }
    )
    return entry


MATCHING = [
    "",
    "-- only a comment",
    'resource.type="cloud_run_revision"',
    "resource.type=cloud_run_revision AND resource.labels.service_name=backend",
    'resource.labels.service_name="BACKEND"',
    "severity=WARNING",
    "severity>=WARNING",
    "severity>info",
    "severity<ERROR",
    "severity!=ERROR",
    "severity=400",
    'severity=("ERROR" OR "WARNING")',
    'logName="projects/p/logs/run.googleapis.com%2Fstdout"',
    "logName:stdout",
    "log_name:stdout",
    'log_id("run.googleapis.com/stdout")',
    'timestamp>="2026-03-01T10:00:00Z"',
    'timestamp<="2026-03-01T10:00:00.123456789Z"',
    'timestamp>"2026-03-01T10:00:00.123456788Z"',
    'timestamp<"2026-03-01T12:00:00+01:00"',
    "timestamp>2026-02-28 timestamp<2026-03-02",
    "httpRequest.status=503",
    "httpRequest.status>=500 httpRequest.status<600",
    "httpRequest.status=(404 OR 503)",
    "http_request.status=503",
    "httpRequest.latency>1s",
    'httpRequest.latency>="1.5s"',
    "httpRequest.requestUrl:health",
    'httpRequest.requestUrl=~"^http://.*/h[a-z]+$"',
    "jsonPayload.message:session",
    'jsonPayload.message="session lost"',
    'jsonPayload.message=~"[Ss]ession\\s+lost"',
    'jsonPayload.message!~"found"',
    "jsonPayload.n=3",
    "jsonPayload.n>2.5",
    "jsonPayload.n<=3",
    "jsonPayload.ok=true",
    "jsonPayload.none=NULL_VALUE",
    "jsonPayload.user.id=u1",
    "jsonPayload.tags=b",
    "jsonPayload.user:*",
    "jsonPayload:lost",
    "labels.instanceId=i1",
    'labels."k8s.io/app"=web',
    "labels:i1",
    "httpRequest:*",
    "traceSampled=true",
    "trace:t1",
    "lost",
    "LOST",
    '"ession los"',
    "NOT found",
    "-found",
    "-jsonPayload.missing=1",
    "NOT jsonPayload.missing:*",
    "lost OR found",
    "(lost AND found) OR u1",
    "lost u1",
    'operation.id=""',
    'insertId = ("abc-1" OR "ABC-2")',
    "jsonPayload.n = (NOT 4 AND 3)",
]
NOT_MATCHING = [
    'resource.type="gce_instance"',
    "severity>WARNING",
    "severity=DEFAULT",
    "severity=ERROR OR severity=INFO",
    'timestamp>"2026-03-01T10:00:00.123456789Z"',
    "httpRequest.status!=503",
    "httpRequest.latency<1s",
    "jsonPayload.missing=1",
    "jsonPayload.missing!=1",
    "jsonPayload.missing:*",
    'jsonPayload.message=~"session"',
    'jsonPayload.message!="session lost"',
    "jsonPayload.n=three",
    "jsonPayload.n<3",
    "jsonPayload.ok=false",
    "labels.other=x",
    "protoPayload.methodName:x",
    "protoPayload:*",
    "textPayload:*",
    "traceSampled=false",
    "found",
    "lost AND found",
    "lost -u1",
    "NOT lost",
    "lost found",
    # OR binds tighter than AND: (lost OR found) AND absent.
    "lost OR found AND absent",
]


@pytest.mark.parametrize("text", MATCHING)
def test_the_entry_matches(text: str) -> None:
    assert compile_filter(text)(an_entry())


@pytest.mark.parametrize("text", NOT_MATCHING)
def test_the_entry_does_not_match(text: str) -> None:
    assert not compile_filter(text)(an_entry())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = ", "unparseable at column 5: the text ends too early"),
        ("(severity=ERROR", "unparseable at column 16: the text ends too early"),
        ("severity=ERROR)", "unparseable at line 1, column 15: unexpected ')'"),
        ("severity == ERROR", "unparseable at line 1, column 11: unexpected '= ERROR'"),
        ("insertId = abc:def", "unparseable at line 1, column 15: unexpected ':def'"),
        ("AND severity=ERROR", "unparseable at line 1, column 1: unexpected 'AND severity=ERROR'"),
        ("severity=ERROR\nAND AND", "unparseable at line 2, column 5: unexpected 'AND'"),
        ('textPayload="open', "unparseable at line 1, column 13: unexpected '\"open'"),
        ("nonsense.field=1", "at column 1: log entries have no field 'nonsense.field'"),
        ("x AND textPayload.sub=1", "at column 7: log entries have no field 'textPayload.sub'"),
        ("severity=LOUD", "at column 10: 'LOUD' is not a severity, which severity is"),
        ("httpRequest.status=many", "at column 20: 'many' is not a number, which httpRequest.status is"),
        ("timestamp>yesterday", "at column 11: 'yesterday' is not an RFC 3339 time"),
        ('textPayload=~"("', "at column 14: '(' is not a regular expression"),
        ("resource=x", "at column 1: resource is a group of fields: only ':' compares it"),
        ("severity=~ERR", "at column 1: severity is no text to match"),
        ('SEARCH(" ")', "at column 8: SEARCH needs a word to look for"),
        (
            "sample(insertId, 0.25)",
            "at column 1: the function sample() is not emulated: log_id(), ip_in_net()",
        ),
        ("x cast(a, INTEGER) > 3", "at column 3: comparing cast() is not emulated"),
        ('regexp_extract(textPayload, "a")=x', "at column 1: comparing regexp_extract() is not emulated"),
        (
            'ip_in_net(httpRequest.remoteIp, "10.0.0.0/33")',
            "at column 33: '10.0.0.0/33' does not appear to be an",
        ),
        ("ip_in_net(httpRequest.remoteIp)", "at column 1: ip_in_net() takes two arguments"),
        ('SEARCH(thud, "x")', "at column 8: log entries have no field 'thud'"),
        ("severity=(a=b)", ""),
        ("x" * 20_001, "has 20001 characters, 20000 are allowed"),
    ],
)
def test_a_wrong_filter_is_refused_at_its_column(text: str, problem: str) -> None:
    with pytest.raises(ApiError) as refused:
        compile_filter(text)
    assert refused.value.code.name == "INVALID_ARGUMENT"
    assert refused.value.field == "filter"
    assert f"filter: {problem}" in refused.value.message


def test_or_binds_tighter_than_and_and_not_tightest() -> None:
    tree = parse("a=1 OR NOT b=2 AND NOT c=3 OR d=4")

    assert isinstance(tree, And)
    left, right = tree.operands
    assert isinstance(left, Or)
    assert isinstance(left.operands[1], Not)
    assert isinstance(right, Or)
    assert isinstance(right.operands[0], Not)
    assert isinstance(right.operands[1], Comparison)


def test_an_audit_payload_is_searched_by_its_fields() -> None:
    entry = LogEntry.pb()(log_name="projects/p/logs/cloudaudit.googleapis.com%2Factivity")
    entry.proto_payload.Pack(
        audit_log_pb2.AuditLog(method_name="CreateService", service_name="run.googleapis.com")
    )

    assert compile_filter("protoPayload.methodName=CreateService")(entry)
    assert compile_filter('protoPayload."@type"="type.googleapis.com/google.cloud.audit.AuditLog"')(entry)
    assert not compile_filter("protoPayload.methodName=DeleteService")(entry)
