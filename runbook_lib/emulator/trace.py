"""Reads or makes the trace context of a request and the headers that the platform adds."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from multidict import CIMultiDict

TRACEPARENT = "traceparent"
CLOUD_TRACE = "X-Cloud-Trace-Context"
_TRACEPARENT = re.compile(r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}")
_CLOUD_TRACE = re.compile(r"(?P<trace>[0-9a-fA-F]{32})(/(?P<span>\d+))?")
# These speak about one connection, not about the request; each hop has its own.
HOP_BY_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)


@dataclass(frozen=True, kw_only=True)
class TraceContext:
    """Ids of the trace that a request belongs to, in hexadecimal."""

    trace_id: str
    span_id: str

    @property
    def traceparent(self) -> str:
        """W3C form."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    @property
    def cloud_trace(self) -> str:
        """Google's form, whose span id is decimal."""
        return f"{self.trace_id}/{int(self.span_id, 16)};o=1"


def read_trace(headers: Mapping[str, str]) -> TraceContext:
    """Return the caller's trace, or a new one."""
    if found := _TRACEPARENT.fullmatch(headers.get(TRACEPARENT, "")):
        return TraceContext(trace_id=found["trace"], span_id=found["span"])
    if found := _CLOUD_TRACE.match(headers.get(CLOUD_TRACE, "")):
        span_id = f"{int(found['span'] or 0) & (2**64 - 1):016x}"
        return TraceContext(trace_id=found["trace"].lower(), span_id=span_id)
    return TraceContext(trace_id=secrets.token_hex(16), span_id=secrets.token_hex(8))


def forwarded_headers(request: web.BaseRequest, trace: TraceContext) -> CIMultiDict[str]:
    """Return the request's headers as the container sees them."""
    kept = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]
    named = {option.strip().lower() for option in request.headers.get("Connection", "").split(",")}
    headers = CIMultiDict((name, value) for name, value in kept if name.lower() not in HOP_BY_HOP | named)
    client = request.remote or ""
    before = headers.get("X-Forwarded-For")
    headers["X-Forwarded-For"] = f"{before}, {client}" if before else client
    headers.setdefault("X-Forwarded-Proto", "http")
    headers.setdefault("X-Forwarded-Host", request.headers.get("Host", ""))
    headers.setdefault(CLOUD_TRACE, trace.cloud_trace)
    headers.setdefault(TRACEPARENT, trace.traceparent)
    return headers
