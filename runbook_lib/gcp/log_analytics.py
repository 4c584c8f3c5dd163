"""Count the log entries of one Cloud Run service on the server's side, by SQL on a linked dataset."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from runbook_lib.errors import NotFound
from runbook_lib.gcp import log_sql
from runbook_lib.gcp.channels import ask
from runbook_lib.plan import Analytics, Target
from runbook_lib.ports.logs import LogDigest, LogQuery, LogUsage

_MOST_ROWS = 50_000
_SLICES = 60
_CALL_TIMEOUT_S = 60.0
_WAIT_S = 600.0
_EMPTY = ("user_agent", "trace", "instance")


class BigQueryLogs:
    """Implements `ports.logs.LogAnalytics`.

    Source: https://cloud.google.com/logging/docs/buckets#link-bq-dataset; queries by jobs.query,
    https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query
    """

    def __init__(self, target: Target, settings: Analytics, address: str | None = None) -> None:
        self._target, self._settings = target, settings
        project, _, dataset = settings.dataset.rpartition(".")
        self._table = f"{project or target.project}.{dataset}.{settings.view}"
        local: dict[str, Any] = {
            "credentials": AnonymousCredentials(),  # type: ignore[no-untyped-call]
            "client_options": {"api_endpoint": f"http://{address}"},
        }
        self._client = bigquery.Client(project=target.project, **(local if address else {}))
        self._usage = LogUsage()

    def count(self, query: LogQuery) -> int:
        """Return how many entries there are; repeated deliveries count."""
        rows = self._ask(log_sql.count(self._table, self._settings.where), query)
        return int(rows["entries"].iloc[0])

    def digest(self, query: LogQuery) -> LogDigest:
        """Return kinds of entries, each with its number."""
        span = max(timedelta(seconds=1), (query.end - query.start) / _SLICES)
        rows = self._ask(log_sql.digest(self._table, self._settings.where, _MOST_ROWS), query, span)
        repeated = int((rows["copies"] - rows["entries"]).sum())
        self._usage = self._usage.plus(LogUsage(repeated=repeated))
        return LogDigest(
            entries=_entries(rows, query),
            total=int(rows["total"].max()) if len(rows) else 0,
            slice_s=span.total_seconds(),
            latency_share=log_sql.PACE - 1,
        )

    def usage(self) -> LogUsage:
        """Return what asking has cost since this was made."""
        return self._usage

    def _ask(self, sql: str, query: LogQuery, span: timedelta = timedelta()) -> pd.DataFrame:
        settings = bigquery.QueryJobConfig(
            query_parameters=self._parameters(query, span),
            maximum_bytes_billed=int(self._settings.max_gib * 2**30),
        )
        once: dict[str, Any] = {"retry": None, "job_retry": None}  # `ask` repeats what may be repeated

        def run() -> bigquery.table.RowIterator:
            return self._client.query_and_wait(
                sql, job_config=settings, api_timeout=_CALL_TIMEOUT_S, wait_timeout=_WAIT_S, **once
            )

        try:
            rows = ask("jobs.query", self._table, run)
            table = ask(
                "jobs.getQueryResults", self._table, lambda: rows.to_arrow(create_bqstorage_client=False)
            )
        except NotFound as error:
            hint = "check logs.analytics in the plan"
            raise NotFound(error.call, error.resource, error.status, hint) from error
        scanned = int(rows.total_bytes_processed or 0)
        self._usage = self._usage.plus(LogUsage(queries=1, scanned_bytes=scanned))
        found: pd.DataFrame = table.to_pandas()
        return found

    def _parameters(self, query: LogQuery, span: timedelta) -> list[bigquery.ScalarQueryParameter]:
        values: dict[str, tuple[str, Any]] = {
            "start": ("TIMESTAMP", query.start), "end": ("TIMESTAMP", query.end),
            "service": ("STRING", self._target.service), "region": ("STRING", self._target.region),
            "revision": ("STRING", query.revision), "slice_us": ("INT64", span // timedelta(microseconds=1)),
        }  # fmt: skip
        return [bigquery.ScalarQueryParameter(name, *typed) for name, typed in values.items()]


def _entries(rows: pd.DataFrame, query: LogQuery) -> pd.DataFrame:
    """Return the rows with the columns of `ports.logs.Logs.read` and `count`, oldest first."""
    entries = rows.assign(
        time=rows["time"].astype("datetime64[ns, UTC]"),
        revision=query.revision,
        log=rows["log"].str.replace(r"^.*/", "", regex=True),
        status=rows["status"].astype("Int64"),
        latency_s=rows["latency_s"].astype(float),
        insert_id=[f"digest {query.start.isoformat()} {number}" for number in range(len(rows))],
        count=rows["entries"],
        **dict.fromkeys(_EMPTY, ""),
    ).drop(columns=["entries", "copies", "total"])
    return entries.sort_values("time", kind="stable", ignore_index=True)
