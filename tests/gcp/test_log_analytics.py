"""Counting entries on the server's side gives what reading them gives; the real client, the real wire."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from cloud import PROJECT, REGION, Staging
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from scripted_log import START, entry

from runbook_lib import gcp
from runbook_lib.errors import CloudError, CloudUnavailable, NotFound, PlanError
from runbook_lib.evidence.logs import weights
from runbook_lib.gcp.channels import channel_to
from runbook_lib.gcp.log_analytics import BigQueryLogs
from runbook_lib.plan import Analytics, Endpoints, Logs
from runbook_lib.ports.logs import LogQuery
from runbook_lib.steps.log_novelty import compare
from runbook_lib.steps.log_requests import statistics

TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line {n}, in f\nValueError: bad id {n}\n'
END = START + timedelta(minutes=10)


def message(number: int, revision: str, service: str) -> Any:
    """Return an entry of one of seven kinds: lines, JSON lines, stack traces and requests."""
    labels = {"service_name": service, "location": REGION, "revision_name": revision}
    fields: dict[str, Any] = {"resource": {"type": "cloud_run_revision", "labels": labels}}
    match number % 8:
        case 0 | 1:
            fields["text_payload"] = f"session {number:08x} of user-{number} has {number} messages"
        case 2:
            fields |= {"text_payload": TRACEBACK.format(n=number), "severity": 500}
        case 3:
            fields |= {
                "text_payload": "",
                "json_payload": {"message": f"pool is empty: {number}"},
                "severity": 400,
            }
        case 4:
            fields |= {"text_payload": "", "json_payload": {"count": float(number % 3), "b": "x"}}
        case _:
            fields |= {"log_name": "projects/p/logs/run.googleapis.com%2Frequests", "text_payload": ""}
    made = entry(number * 100, insert_id=f"{revision}-{number}", **fields)
    made.log_name = made.log_name.replace("projects/p/", f"projects/{PROJECT}/")
    if number % 8 > 4:
        made.http_request.request_method, made.http_request.request_url = "GET", f"https://x/{number}"
        made.http_request.status = 503 if number % 40 == 5 else 200
        made.http_request.latency.FromMicroseconds(1000 + 137 * number)
    return made


@pytest.fixture
def revision(staging: Staging) -> str:
    """A revision with 2000 entries, 50 of which were delivered twice."""
    name = f"rev-{secrets.token_hex(3)}"
    entries = [message(number, name, staging.service) for number in range(2000)]
    again = []
    for number in range(50):
        again.append(message(number * 7, name, staging.service))
        again[-1].insert_id = f"again-{name}-{number}"
    transport = LoggingServiceV2GrpcTransport(channel=channel_to(staging.endpoints.logging))
    client = LoggingServiceV2Client(transport=transport)
    client.write_log_entries(entries=[*entries, *again])
    return name


def analytics(staging: Staging, **settings: Any) -> BigQueryLogs:
    """Return the adapter, on the emulator's linked dataset."""
    found = gcp.connect_analytics(
        staging.target, staging.endpoints, Analytics(**{"dataset": "logs", **settings})
    )
    assert isinstance(found, BigQueryLogs)
    return found


def summary(entries: pd.DataFrame) -> tuple[Any, ...]:
    """Return what a person asks of entries: severities, templates with their numbers, requests."""
    rows = entries.assign(role="candidate")
    tally = weights(rows).groupby([rows["severity"], rows["log"]]).sum().to_dict()
    kinds = {(each.template, each.severity): (each.candidate, each.first) for each in compare(rows)}
    return tally, kinds, statistics(rows, "candidate")


def test_counting_gives_what_reading_gives(staging: Staging, revision: str) -> None:
    query = LogQuery(revision=revision, start=START, end=END, limit=10**6)
    mine, logging = analytics(staging), staging.cloud.logging
    read, digest = logging.read(query), mine.digest(query)

    assert mine.count(query) == 2050
    assert digest.total == len(read) == digest.entries["count"].sum() == 2000
    assert len(digest.entries) < 1000
    assert mine.usage().repeated == logging.usage().repeated == 50
    assert set(read.columns) | {"count"} == set(digest.entries.columns)
    (severities, kinds, requests), theirs = summary(digest.entries), summary(read)
    assert (severities, kinds) == theirs[:2]
    assert kinds["ValueError: bad id <*>", "ERROR"][0] == 250
    assert (requests.requests, requests.classes, requests.interval) == (
        750,
        {"2xx": 700, "5xx": 50},
        theirs[2].interval,
    )
    for name, seconds in theirs[2].latency_s.items():
        assert seconds <= requests.latency_s[name] <= seconds * 1.02
    usage = mine.usage()
    assert usage.queries == 2
    assert usage.scanned_bytes > 100_000
    assert usage.requests == 0


def test_what_cannot_be_counted_is_told_with_the_next_act(staging: Staging, revision: str) -> None:
    query = LogQuery(revision=revision, start=START, end=END)

    assert analytics(staging, where="severity = 'ERROR'").count(query) == 256
    assert analytics(staging).digest(LogQuery(revision="another", start=START, end=END)).total == 0
    with pytest.raises(NotFound) as raised:
        analytics(staging, dataset="other.absent").count(query)
    assert str(raised.value).startswith("jobs.query on other.absent._AllLogs answered NOT_FOUND (")
    assert str(raised.value).endswith("): check logs.analytics in the plan")
    with pytest.raises(CloudError, match=r"INVALID_ARGUMENT \(.*nowhere"):
        analytics(staging, where="nowhere = 1").count(query)
    with pytest.raises(CloudError, match=r"exceeded limit for bytes billed: 1\."):
        analytics(staging, max_gib=1e-9).count(query)
    with pytest.raises(CloudUnavailable, match=r"^jobs\.query on test-project\.logs\._AllLogs answered "):
        BigQueryLogs(staging.target, Analytics(dataset="logs"), "127.0.0.1:9").count(query)
    without = Endpoints(run="a:1", logging="a:1", monitoring="a:1")
    with pytest.raises(PlanError, match=r"target\.endpoints\.bigquery.*logs\.analytics needs an address"):
        gcp.connect_analytics(staging.target, without, Analytics(dataset="logs"))
    assert gcp.connect_analytics(staging.target, without, None) is None
    with pytest.raises(ValueError, match=r"analytics\.where is missing: BigQuery cannot read logs\.filter"):
        Logs(filter="severity>=ERROR", analytics=Analytics(dataset="logs"))
