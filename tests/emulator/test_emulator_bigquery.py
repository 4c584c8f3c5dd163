"""The log is a BigQuery dataset too, for the real client: queries, their types and pages, and refusals."""

import secrets
import time
from datetime import UTC, datetime

import pytest
from emulator_cloud import PROJECT, Cloud
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.audit.audit_log_pb2 import AuditLog
from google.cloud.logging_v2.types import LogEntry
from google.protobuf.any_pb2 import Any as AnyMessage

QUERY = "https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query"
RESULTS = "https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/getQueryResults"
INSERT = "https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/insert"
ERRORS = "https://cloud.google.com/bigquery/docs/error-messages"
SCHEMA = "https://cloud.google.com/logging/docs/analyze/query-and-view"
TABLE = f"`{PROJECT}.logs._AllLogs`"
MOMENT = datetime(2026, 5, 5, 10, 0, 0, 123456, UTC)


@pytest.fixture
def client(cloud: Cloud) -> bigquery.Client:
    """The real client; what is refused is not asked again."""
    options = {"api_endpoint": cloud.info["http"]}
    return bigquery.Client(PROJECT, credentials=AnonymousCredentials(), client_options=options)


def ask(client: bigquery.Client, sql: str, **parameters: object) -> list[dict[str, object]]:
    """Return a query's rows; a parameter's type is told by its value."""
    kinds = {str: "STRING", int: "INT64", float: "FLOAT64", bool: "BOOL", datetime: "TIMESTAMP"}
    typed = [
        bigquery.ScalarQueryParameter(name, kinds[type(value)], value) for name, value in parameters.items()
    ]
    settings = bigquery.QueryJobConfig(query_parameters=typed)
    rows = client.query_and_wait(sql, job_config=settings, retry=None, job_retry=None)  # type: ignore[arg-type]
    return [dict(row) for row in rows]


def write(cloud: Cloud, count: int, **fields: object) -> str:
    """Write entries into a log of its own and return its name."""
    log = f"bq-{secrets.token_hex(4)}"
    name = f"projects/{PROJECT}/logs/{log}%2Fx"
    common = {"log_name": name, "resource": {"type": "global", "labels": {"zone": "a"}}, "timestamp": MOMENT}
    cloud.logs.write_log_entries(
        entries=[LogEntry(insert_id=f"{n:05d}", **{**common, **fields}) for n in range(count)]
    )
    return f"{log}/x"


@pytest.mark.conformance(SCHEMA)
def test_an_entry_is_a_row_with_the_fields_of_log_analytics(cloud: Cloud, client: bigquery.Client) -> None:
    audit = AnyMessage()
    audit.Pack(AuditLog(method_name="m", status={"code": 5, "message": "gone"}))
    request = {"request_method": "GET", "status": 503, "latency": {"seconds": 1, "nanos": 500_000_000}}
    log = write(cloud, 1, severity="ERROR", proto_payload=audit, http_request=request, labels={"k": "v"})
    write(cloud, 1, text_payload="another log")
    (row,) = ask(
        client,
        "SELECT severity, severity_number, timestamp, insert_id, text_payload, http_request.status, "
        "http_request.latency.seconds + http_request.latency.nanos / 1e9 AS took, "
        "JSON_VALUE(resource.labels.zone) AS zone, JSON_VALUE(labels, '$.k') AS label, "
        "proto_payload.audit_log.status.message AS said, receive_timestamp >= timestamp AS later "
        f"FROM {TABLE} WHERE log_id = @log AND resource.type = 'global'",
        log=log,
    )
    assert row == {
        "severity": "ERROR", "severity_number": 500, "timestamp": MOMENT, "insert_id": "00000",
        "text_payload": None, "status": 503, "took": 1.5, "zone": "a", "label": "v", "said": "gone",
        "later": True,
    }  # fmt: skip


@pytest.mark.conformance(RESULTS)
def test_results_come_in_pages_and_what_was_logged_since_is_in_the_next_query(
    cloud: Cloud, client: bigquery.Client
) -> None:
    log = write(cloud, 25, json_payload={"message": "x"})
    sql = f"SELECT insert_id FROM {TABLE} WHERE log_id = '{log}' ORDER BY insert_id"
    job = client.query(sql, retry=None, job_retry=None)
    rows = job.result(page_size=10, retry=None)
    assert [row.insert_id for row in rows] == [f"{n:05d}" for n in range(25)]
    assert (rows.total_rows, job.state, job.total_bytes_processed > 0) == (25, "DONE", True)

    since = time.perf_counter()
    again = write(cloud, 3)
    assert ask(client, f"SELECT COUNT(*) AS n FROM {TABLE} WHERE log_id IN ('{log}', '{again}')") == [
        {"n": 28}
    ]
    assert time.perf_counter() - since < 30


@pytest.mark.conformance(QUERY)
def test_parameters_are_values_and_never_sql(client: bigquery.Client) -> None:
    hostile = "' OR TRUE --"
    sql = "SELECT @a AS a, @b AS b, @c AS c, @d AS d, @e AS e, NULL AS f"
    values = {"a": hostile, "b": 7, "c": 1.5, "d": True, "e": MOMENT}
    assert ask(client, sql, **values) == [{**values, "f": None}]
    assert ask(client, f"SELECT COUNT(*) AS n FROM {TABLE} WHERE log_id = @a", a=hostile) == [{"n": 0}]


BAD_SQL = (
    (ERRORS, "SELECT (", exceptions.BadRequest, "Syntax error"),
    (ERRORS, f"SELECT x FROM {TABLE}", exceptions.BadRequest, '"x" not found'),
    (QUERY, "SELECT @a", exceptions.BadRequest, "Query parameter 'a' not found"),
    (ERRORS, "SELECT 1 FROM `p.absent._AllLogs`", exceptions.NotFound, "datasets/absent"),
    (ERRORS, "SELECT 1 FROM `p.logs.absent`", exceptions.NotFound, "logs.absent"),
    (INSERT, f"DROP TABLE {TABLE}", exceptions.MethodNotImplemented, "but a SELECT"),
)


@pytest.mark.refusal
@pytest.mark.parametrize(
    ("sql", "refused", "said"),
    [pytest.param(*row, marks=pytest.mark.conformance(page)) for page, *row in BAD_SQL],
)
def test_what_bigquery_refuses_is_refused(
    client: bigquery.Client, sql: str, refused: type[exceptions.GoogleAPICallError], said: str
) -> None:
    with pytest.raises(refused, match=said):
        ask(client, sql)
    with pytest.raises(exceptions.GoogleAPICallError, match=said):
        client.query(sql, retry=None, job_retry=None).result(retry=None, job_retry=None)


@pytest.mark.refusal
@pytest.mark.conformance(QUERY)
def test_a_query_that_would_cost_more_than_it_may_is_refused(cloud: Cloud, client: bigquery.Client) -> None:
    write(cloud, 1)
    settings = bigquery.QueryJobConfig(maximum_bytes_billed=1)
    with pytest.raises(exceptions.BadRequest) as raised:
        client.query_and_wait("SELECT 1", job_config=settings, retry=None, job_retry=None)  # type: ignore[arg-type]
    assert raised.value.errors[0]["reason"] == "bytesBilledLimitExceeded"
