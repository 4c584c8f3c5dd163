"""BigQuery's REST methods for queries on the linked dataset: jobs.query, insert, get and getQueryResults.

Source: https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs and, for the reasons in refusals,
https://cloud.google.com/bigquery/docs/error-messages
"""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from aiohttp import web

from .errors import ApiError, invalid, not_emulated, not_found
from .log_store import LogStore
from .rest import http_code_of, json_response
from .transcoding import parse_json
from .wire import Before, Message, Method

if TYPE_CHECKING:
    from .bigquery_sql import Result
    from .log_table import LogTable

SERVICE = "google.cloud.bigquery.v2.JobService"
DATASET = "logs"
LOCATION = "US"
_BASE = "/bigquery/v2/projects/{project}"
_PAGE_ROWS = 10_000
_JOBS_KEPT = 50
_REASONS = {
    grpc.StatusCode.INVALID_ARGUMENT: "invalidQuery",
    grpc.StatusCode.NOT_FOUND: "notFound",
    grpc.StatusCode.PERMISSION_DENIED: "accessDenied",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "rateLimitExceeded",
    grpc.StatusCode.UNAVAILABLE: "backendError",
    grpc.StatusCode.UNIMPLEMENTED: "notImplemented",
}


@dataclass(frozen=True, kw_only=True)
class _Job:
    """A query that has ended: with a result, or refused."""

    project: str
    id: str
    result: "Result | None"
    error: ApiError | None = None

    @property
    def reference(self) -> dict[str, str]:
        return {"projectId": self.project, "jobId": self.id, "location": LOCATION}


class BigQueryApi:
    """Answers queries on one log store, which every project sees as its dataset `logs`."""

    def __init__(self, store: LogStore, before: Before) -> None:
        self._store = store
        self._before = before
        self._table: LogTable | None = None
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._running = asyncio.Lock()

    def add_routes(self, app: web.Application) -> None:
        """Serve the methods by their published paths."""
        for verb, path, name, answer in (
            ("POST", "/queries", "Query", self._query),
            ("POST", "/jobs", "InsertJob", self._insert),
            ("GET", "/jobs/{job}", "GetJob", self._get),
            ("GET", "/queries/{job}", "GetQueryResults", self._results),
        ):
            app.router.add_route(verb, _BASE + path, self._handler(_method(name), answer))

    @staticmethod
    def methods() -> list[Method]:
        """Return the methods, for faults to hit; no other wire has them."""
        return [_method(name) for name in ("Query", "InsertJob", "GetJob", "GetQueryResults")]

    def _handler(
        self, method: Method, answer: Callable[[web.Request], Awaitable[dict[str, Any]]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                await self._before(method)
                return json_response(await answer(request))
            except ApiError as error:
                return _refusal(error)

        return handle

    async def _query(self, request: web.Request) -> dict[str, Any]:
        body = parse_json(await request.read())
        job = await self._run(request.match_info["project"], uuid.uuid4().hex, body)
        return self._page(job, 0, int(body.get("maxResults", _PAGE_ROWS)), "bigquery#queryResponse")

    async def _insert(self, request: web.Request) -> dict[str, Any]:
        body = parse_json(await request.read())
        query = body.get("configuration", {}).get("query")
        if query is None:
            raise not_emulated("A job that is no query")
        job_id = body.get("jobReference", {}).get("jobId") or uuid.uuid4().hex
        return _document(await self._run(request.match_info["project"], job_id, query))

    async def _get(self, request: web.Request) -> dict[str, Any]:
        return _document(self._find(request))

    async def _results(self, request: web.Request) -> dict[str, Any]:
        start = int(request.query.get("pageToken") or request.query.get("startIndex") or 0)
        most = int(request.query.get("maxResults", _PAGE_ROWS))
        return self._page(self._find(request), start, most, "bigquery#getQueryResultsResponse")

    def _find(self, request: web.Request) -> _Job:
        job = self._jobs.get(request.match_info["job"])
        if job is None or job.project != request.match_info["project"]:
            raise not_found(f"projects/{request.match_info['project']}/jobs/{request.match_info['job']}")
        return job

    async def _run(self, project: str, job_id: str, query: dict[str, Any]) -> _Job:
        """Run a query; its refusal is part of the job, as its result is."""
        if query.get("useLegacySql", True):
            raise not_emulated("Legacy SQL")
        async with self._running:
            try:
                job = _Job(project=project, id=job_id, result=await self._execute(query))
            except ApiError as error:
                job = _Job(project=project, id=job_id, result=None, error=error)
        self._jobs[job_id] = job
        while len(self._jobs) > _JOBS_KEPT:
            self._jobs.popitem(last=False)
        return job

    async def _execute(self, query: dict[str, Any]) -> "Result":
        await asyncio.to_thread(_load)
        from .bigquery_sql import run_query
        from .log_table import LogTable

        table = self._table = self._table or LogTable(self._store)
        await asyncio.to_thread(table.refresh, *table.news())
        most = int(query.get("maximumBytesBilled") or 0)
        if most and table.bytes > most:
            problem = f"Query exceeded limit for bytes billed: {most}. {table.bytes} or higher required."
            raise invalid("maximumBytesBilled", problem)
        asked = str(query.get("query")), query.get("queryParameters") or []
        return await asyncio.to_thread(run_query, table, DATASET, *asked)

    def _page(self, job: _Job, start: int, most: int, kind: str) -> dict[str, Any]:
        if job.result is None:
            raise job.error or not_found(job.id)
        rows, end = job.result.rows, start + min(most, _PAGE_ROWS)
        page = {"rows": [{"f": [{"v": text} for text in row]} for row in rows[start:end]]} if most else {}
        return {
            "kind": kind, "jobReference": job.reference, "location": LOCATION, "jobComplete": True,
            "cacheHit": False, "schema": {"fields": job.result.fields}, "totalRows": str(len(rows)),
            "totalBytesProcessed": str(job.result.bytes_scanned), **page,
            **({"pageToken": str(end)} if end < len(rows) else {}),
        }  # fmt: skip


def _load() -> None:
    """Import what takes a second: most emulators are never asked."""
    from . import bigquery_sql  # noqa: F401


def _method(name: str) -> Method:
    async def refuse(_: Message) -> Message:
        raise not_emulated(f"{name} over gRPC")

    return Method(service=SERVICE, name=name, request=None, handle=refuse)


def _document(job: _Job) -> dict[str, Any]:
    error = {"errorResult": _reason(job.error)} if job.error else {}
    scanned = {"totalBytesProcessed": str(job.result.bytes_scanned)} if job.result else {}
    return {
        "kind": "bigquery#job", "id": f"{job.project}:{LOCATION}.{job.id}", "jobReference": job.reference,
        "configuration": {"jobType": "QUERY", "query": {"useLegacySql": False}},
        "status": {"state": "DONE", **error}, "statistics": {"query": scanned, **scanned},
    }  # fmt: skip


def _refusal(error: ApiError) -> web.Response:
    """Return a refusal as BigQuery writes it: with a list of reasons, and without a gRPC status."""
    code, reason = http_code_of(error), _reason(error)
    if code == 429:  # BigQuery says 403 where others say 429
        code = 403
    return json_response({"error": {"code": code, "message": reason["message"], "errors": [reason]}}, code)


def _reason(error: ApiError) -> dict[str, str]:
    reason = _REASONS.get(error.code, "internalError")
    if error.field == "maximumBytesBilled":
        reason = "bytesBilledLimitExceeded"
    return {"message": error.message, "domain": "global", "reason": reason}
