"""Writes the log entries that Cloud Run itself would write: container output, requests, system, audit."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from google.cloud.audit import audit_log_pb2
from google.cloud.logging_v2.types import LogEntry
from google.logging.type import http_request_pb2, log_severity_pb2
from google.protobuf import json_format

from .clock import NS_PER_S, NowNs, parse_rfc3339_ns, timestamp
from .log_store import LogSink
from .metric_types import RESOURCE_TYPE
from .names import RevisionId
from .wire import Message

STDOUT = "run.googleapis.com/stdout"
STDERR = "run.googleapis.com/stderr"
REQUESTS = "run.googleapis.com/requests"
SYSTEM = "run.googleapis.com/varlog/system"
ACTIVITY = "cloudaudit.googleapis.com/activity"
SYSTEM_EVENT = "cloudaudit.googleapis.com/system_event"
EMULATOR_USER = "emulator@localhost"
_LIFTED_LABELS = "logging.googleapis.com/labels"
_LIFTED_TRACE = "logging.googleapis.com/trace"
_LIFTED_SPAN = "logging.googleapis.com/spanId"
_LIFTED_ID = "logging.googleapis.com/insertId"


@dataclass(frozen=True, kw_only=True)
class RequestRecord:
    """One request that the router has finished with."""

    method: str
    url: str
    status: int
    latency_s: float
    request_bytes: int
    response_bytes: int
    user_agent: str
    referer: str
    remote_ip: str
    server_ip: str
    protocol: str
    trace_id: str
    span_id: str
    instance_id: str
    note: str = ""


class PlatformLog:
    """The platform's pen on the log."""

    def __init__(self, sink: LogSink, now_ns: NowNs) -> None:
        self._sink = sink
        self._now_ns = now_ns

    def container_line(self, revision: RevisionId, instance_id: str, log_id: str, line: str) -> None:
        """Store a line of output; a JSON object becomes a payload with its special fields lifted."""
        entry = self._entry(revision, log_id, "DEFAULT")
        entry.labels["instanceId"] = instance_id
        fields = _json_object(line)
        if fields is None:
            entry.text_payload = line
        else:
            _lift(entry, fields, revision.project)
            entry.json_payload.update(fields)
        self._sink.add(entry)

    def system(self, revision: RevisionId, text: str, severity: str = "INFO", instance_id: str = "") -> None:
        """Store a message of the platform about a container."""
        entry = self._entry(revision, SYSTEM, severity)
        entry.text_payload = text
        if instance_id:
            entry.labels["instanceId"] = instance_id
        self._sink.add(entry)

    def request(self, revision: RevisionId, record: RequestRecord) -> None:
        """Store a request, dated back to when it arrived."""
        entry = self._entry(revision, REQUESTS, _request_severity(record.status))
        entry.timestamp.CopyFrom(timestamp(self._now_ns() - int(record.latency_s * NS_PER_S)))
        entry.labels["instanceId"] = record.instance_id
        entry.trace = f"projects/{revision.project}/traces/{record.trace_id}"
        entry.span_id, entry.trace_sampled = record.span_id, True
        entry.http_request.CopyFrom(_http_request(record))
        if record.note:
            entry.text_payload = record.note
        self._sink.add(entry)

    def activity(self, service: RevisionId, method: str, request: Message) -> None:
        """Store an audit entry: somebody changed a service."""
        self._audit(service, ACTIVITY, "NOTICE", _audit_payload(service, method, request=request))

    def condition_changed(self, revision: RevisionId, state: str, message: str, *, failed: bool) -> None:
        """Store the audit entry of the system itself: a revision became ready, or did not."""
        text = f"Ready condition status changed to {state} for Revision {revision.revision}"
        payload = _audit_payload(revision, "/InternalServices.ReplaceInternalService")
        payload.status.message = f"{text} with message: {message}" if message else f"{text}."
        payload.status.code = 13 if failed else 0
        self._audit(revision, SYSTEM_EVENT, "ERROR" if failed else "INFO", payload)

    def _audit(self, subject: RevisionId, log_id: str, severity: str, payload: Any) -> None:
        entry = self._entry(subject, log_id, severity)
        entry.proto_payload.Pack(payload)
        self._sink.add(entry)

    def _entry(self, revision: RevisionId, log_id: str, severity: str) -> Message:
        now = timestamp(self._now_ns())
        return LogEntry.pb()(
            log_name=f"projects/{revision.project}/logs/{quote(log_id, safe='')}",
            resource={"type": RESOURCE_TYPE, "labels": revision.labels},
            severity=_severity(severity),
            insert_id=uuid.uuid4().hex[:20],
            timestamp=now,
            receive_timestamp=now,
        )


def _severity(name: str) -> int:
    return int(log_severity_pb2.LogSeverity.Value(name))


def _request_severity(status: int) -> str:
    if status >= 500:
        return "ERROR"
    return "WARNING" if status >= 400 else "INFO"


def _json_object(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _lift(entry: Message, fields: dict[str, Any], project: str) -> None:
    """Move what Cloud Logging treats as special from the payload to the entry itself."""
    severity = fields.get("severity")
    if isinstance(severity, str) and severity.upper() in log_severity_pb2.LogSeverity.keys():  # noqa: SIM118
        entry.severity = _severity(fields.pop("severity").upper())
    for key in ("time", "timestamp"):
        if isinstance(fields.get(key), str) and (time_ns := _time_or_none(fields[key])) is not None:
            entry.timestamp.CopyFrom(timestamp(time_ns))
            del fields[key]
            break
    _lift_request(entry, fields)
    _lift_ids(entry, fields, project)


def _lift_request(entry: Message, fields: dict[str, Any]) -> None:
    request = fields.get("httpRequest")
    if isinstance(request, dict):
        try:
            json_format.ParseDict(request, entry.http_request)
            del fields["httpRequest"]
        except json_format.ParseError:
            entry.ClearField("http_request")


def _lift_ids(entry: Message, fields: dict[str, Any], project: str) -> None:
    labels = fields.get(_LIFTED_LABELS)
    if isinstance(labels, Mapping):
        entry.labels.update({str(key): str(value) for key, value in labels.items()})
        del fields[_LIFTED_LABELS]
    trace = fields.pop(_LIFTED_TRACE, None)
    if isinstance(trace, str):
        entry.trace = trace if "/" in trace else f"projects/{project}/traces/{trace}"
    entry.span_id = str(fields.pop(_LIFTED_SPAN, ""))
    entry.insert_id = str(fields.pop(_LIFTED_ID, entry.insert_id))


def _time_or_none(text: str) -> int | None:
    try:
        return parse_rfc3339_ns(text)
    except ValueError:
        return None


def _http_request(record: RequestRecord) -> http_request_pb2.HttpRequest:
    message = http_request_pb2.HttpRequest(
        request_method=record.method,
        request_url=record.url,
        request_size=record.request_bytes,
        status=record.status,
        response_size=record.response_bytes,
        user_agent=record.user_agent,
        remote_ip=record.remote_ip,
        server_ip=record.server_ip,
        referer=record.referer,
        protocol=record.protocol,
    )
    message.latency.FromNanoseconds(int(record.latency_s * NS_PER_S))
    return message


def _audit_payload(subject: RevisionId, method: str, request: Message | None = None) -> Any:
    resource = f"projects/{subject.project}/locations/{subject.location}/services/{subject.service}"
    payload = audit_log_pb2.AuditLog(
        service_name="run.googleapis.com",
        method_name=method,
        resource_name=f"{resource}/revisions/{subject.revision}" if subject.revision else resource,
    )
    payload.authentication_info.principal_email = EMULATOR_USER
    if request is not None:
        payload.request.update(json_format.MessageToDict(request))
        payload.request["@type"] = f"type.googleapis.com/{request.DESCRIPTOR.full_name}"
    return payload
