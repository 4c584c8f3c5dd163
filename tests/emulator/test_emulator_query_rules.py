"""The language's rules on missing fields, quoting, repeated values and functions, by the real client."""

import pytest
from emulator_cloud import Cloud, named_field
from google.api_core import exceptions
from google.cloud.logging_v2.types import LogEntry

PAGE = "https://cloud.google.com/logging/docs/view/logging-query-language"
pytestmark = pytest.mark.conformance(PAGE)


@pytest.fixture(scope="module")
def log(cloud: Cloud) -> Cloud:
    """A project whose log has one entry, which lacks most fields."""
    entry = LogEntry.pb()(
        log_name="projects/rules/logs/run.googleapis.com%2Fstdout",
        labels={"app": "web", "k8s.io/app": "shop"},
        resource={"type": "cloud_run_revision", "labels": {"service_name": "backend"}},
        http_request={"remote_ip": "10.1.2.3", "request_url": "https://x.test/a?b=1"},
    )
    entry.json_payload.update(
        {
            "message": "Session-42 lost: retrying",
            "addresses": ["fe80::1", "192.168.7.9", "none"],
            "steps": [{"name": "connect", "ms": 5}, {"name": "login", "ms": 700}],
            "empty": None,
            "text": "3",
            "n": 3,
        }
    )
    cloud.logs.write_log_entries(entries=[LogEntry(entry)])
    return cloud


MATCHING = [
    # A field of a payload or a label that is missing fails every comparison, so its negation holds.
    "NOT jsonPayload.absent=1",
    "-labels.absent=x",
    "NOT jsonPayload.absent!=1",
    'NOT jsonPayload.absent=~"."',
    'NOT jsonPayload.absent!~"."',
    "NOT jsonPayload.absent:*",
    "NOT labels.absent:*",
    "NOT resource.labels.absent:*",
    # A field of the type LogEntry that is missing is compared as its default.
    'trace=""',
    "trace!=x",
    'trace!~"x"',
    "httpRequest.status=0",
    "httpRequest.status<200",
    "operation.producer!=x",
    "severity=DEFAULT",
    "severity<DEBUG",
    "traceSampled=false",
    "NOT httpRequest.status:*",
    "NOT operation.id:*",
    "NOT trace:*",
    "NOT textPayload:*",
    # What is there, is there; null is a value too.
    "jsonPayload.empty:*",
    "jsonPayload.empty=NULL_VALUE",
    "httpRequest.remoteIp:*",
    "resource.labels.service_name:*",
    # One element of an array is enough, whatever is asked of it.
    "jsonPayload.addresses=none",
    "jsonPayload.addresses!=none",
    'jsonPayload.addresses=~"^192"',
    "jsonPayload.steps.name=login",
    "jsonPayload.steps.ms>600",
    "jsonPayload.steps.ms<6",
    # Values of a payload compare as what they are.
    "jsonPayload.n=3",
    "jsonPayload.text=3",
    "jsonPayload.n<10",
    # Quotes around a name's part keep its dots and slashes.
    'labels."k8s.io/app"=shop',
    'jsonPayload."message":lost',
    # Functions.
    'log_id("run.googleapis.com/stdout")',
    'NOT log_id("run.googleapis.com/stderr")',
    'ip_in_net(httpRequest.remoteIp, "10.1.0.0/16")',
    'ip_in_net(jsonPayload.addresses, "192.168.0.0/16")',
    'ip_in_net(jsonPayload.addresses, "fe80::/10")',
    'NOT ip_in_net(jsonPayload.absent, "10.0.0.0/8")',
    'SEARCH("lost session")',
    'SEARCH("SESSION 42")',
    'SEARCH(jsonPayload, "retrying")',
    'SEARCH(jsonPayload.message, "lost retrying")',
    'SEARCH(labels, "shop")',
    'SEARCH("`Session-42 lost`")',
    'search("lost") AND severity=DEFAULT',
    'SEARCH("web backend")',
]
NOT_MATCHING = [
    "jsonPayload.absent=1",
    "jsonPayload.absent!=1",
    "jsonPayload.absent<1",
    'jsonPayload.absent!~"."',
    "labels.absent!=x",
    "resource.labels.absent!=x",
    "httpRequest.status:*",
    "trace:*",
    "NOT jsonPayload.addresses=none",
    "jsonPayload.n=three",
    'jsonPayload.empty="NULL_VALUE"',
    'jsonPayload.n:"*"',
    'log_id("stdout")',
    'ip_in_net(httpRequest.remoteIp, "10.2.0.0/16")',
    'ip_in_net(httpRequest.requestMethod, "0.0.0.0/0")',
    # SEARCH looks for words, not for parts of them; a phrase in backticks has its order.
    'SEARCH("los")',
    'SEARCH("retry")',
    'SEARCH(textPayload, "lost")',
    'SEARCH("`lost Session-42`")',
    'SEARCH(labels, "lost")',
    'SEARCH("lost found")',
]


def found(log: Cloud, text: str) -> bool:
    """Say whether the API lists the entry."""
    return bool(log.entries(text, resource_names=["projects/rules"]))


@pytest.mark.parametrize("text", MATCHING)
def test_the_entry_matches(log: Cloud, text: str) -> None:
    assert found(log, text)


@pytest.mark.parametrize("text", NOT_MATCHING)
def test_the_entry_does_not_match(log: Cloud, text: str) -> None:
    assert not found(log, text)


@pytest.mark.refusal
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("thud=1", "at column 1: log entries have no field 'thud'"),
        ("operation.thud=1", "at column 1: log entries have no field 'operation.thud'"),
        ("trace=x textPayload.thud=1", "at column 9: log entries have no field 'textPayload.thud'"),
        ("NOT thud:*", "at column 5: log entries have no field 'thud'"),
        ("insertId = abc:def", "unparseable at line 1, column 15: unexpected ':def'"),
        ("severity>=LOUD", "at column 11: 'LOUD' is not a severity, which severity is"),
        ("x" * 20_001, "has 20001 characters, 20000 are allowed"),
    ],
)
def test_a_wrong_filter_is_refused_where_it_is_wrong(log: Cloud, text: str, problem: str) -> None:
    with pytest.raises(exceptions.InvalidArgument) as refused:
        found(log, text)
    assert named_field(refused.value) == "filter"
    assert refused.value.message == f"filter: {problem}"
