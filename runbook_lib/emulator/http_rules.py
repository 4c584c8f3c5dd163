"""The table of HTTP annotations: which verb, path and body reach which API method.

The published Python packages do not carry the annotations, so they are written out here, method by method.
Source: https://cloud.google.com/run/docs/reference/rest, https://cloud.google.com/logging/docs/reference/v2/rest,
https://cloud.google.com/monitoring/api/ref_v3/rest and https://cloud.google.com/resource-manager/reference/rest
"""

from dataclasses import dataclass

_SERVICES = "google.cloud.run.v2.Services"
_REVISIONS = "google.cloud.run.v2.Revisions"
_OPERATIONS = "google.longrunning.Operations"
_LOGGING = "google.logging.v2.LoggingServiceV2"
_METRICS = "google.monitoring.v3.MetricService"

_PROJECTS = "google.cloud.resourcemanager.v3.Projects"

_PLACE = "projects/*/locations/*"
_SERVICE = f"{_PLACE}/services/*"
_REVISION = f"{_SERVICE}/revisions/*"
_OPERATION = f"{_PLACE}/operations/*"


@dataclass(frozen=True, kw_only=True)
class HttpRule:
    """One way to call a method by HTTP.

    Attributes:
        template: Path with variables such as `{name=projects/*}`, each of which fills that request field.
        body: Request field that the JSON body fills, `*` for the whole request, empty for no body.
    """

    verb: str
    template: str
    body: str = ""


def _rule(verb: str, template: str, body: str = "") -> HttpRule:
    return HttpRule(verb=verb, template=template, body=body)


HTTP_RULES: dict[tuple[str, str], HttpRule] = {
    (_SERVICES, "CreateService"): _rule("POST", f"/v2/{{parent={_PLACE}}}/services", "service"),
    (_SERVICES, "GetService"): _rule("GET", f"/v2/{{name={_SERVICE}}}"),
    (_SERVICES, "ListServices"): _rule("GET", f"/v2/{{parent={_PLACE}}}/services"),
    (_SERVICES, "UpdateService"): _rule("PATCH", f"/v2/{{service.name={_SERVICE}}}", "service"),
    (_SERVICES, "DeleteService"): _rule("DELETE", f"/v2/{{name={_SERVICE}}}"),
    (_SERVICES, "TestIamPermissions"): _rule("POST", f"/v2/{{resource={_SERVICE}}}:testIamPermissions", "*"),
    (_PROJECTS, "TestIamPermissions"): _rule("POST", "/v3/{resource=projects/*}:testIamPermissions", "*"),
    (_REVISIONS, "GetRevision"): _rule("GET", f"/v2/{{name={_REVISION}}}"),
    (_REVISIONS, "ListRevisions"): _rule("GET", f"/v2/{{parent={_SERVICE}}}/revisions"),
    (_REVISIONS, "DeleteRevision"): _rule("DELETE", f"/v2/{{name={_REVISION}}}"),
    (_OPERATIONS, "GetOperation"): _rule("GET", f"/v2/{{name={_OPERATION}}}"),
    (_OPERATIONS, "ListOperations"): _rule("GET", f"/v2/{{name={_PLACE}}}/operations"),
    (_OPERATIONS, "WaitOperation"): _rule("POST", f"/v2/{{name={_OPERATION}}}:wait", "*"),
    (_LOGGING, "ListLogEntries"): _rule("POST", "/v2/entries:list", "*"),
    (_LOGGING, "WriteLogEntries"): _rule("POST", "/v2/entries:write", "*"),
    (_LOGGING, "TailLogEntries"): _rule("POST", "/v2/entries:tail", "*"),
    (_METRICS, "ListTimeSeries"): _rule("GET", "/v3/{name=projects/*}/timeSeries"),
    (_METRICS, "CreateTimeSeries"): _rule("POST", "/v3/{name=projects/*}/timeSeries", "*"),
    (_METRICS, "CreateServiceTimeSeries"): _rule(
        "POST", "/v3/{name=projects/*}/timeSeries:createService", "*"
    ),
    (_METRICS, "ListMetricDescriptors"): _rule("GET", "/v3/{name=projects/*}/metricDescriptors"),
    (_METRICS, "GetMetricDescriptor"): _rule("GET", "/v3/{name=projects/*/metricDescriptors/**}"),
    (_METRICS, "CreateMetricDescriptor"): _rule(
        "POST", "/v3/{name=projects/*}/metricDescriptors", "metric_descriptor"
    ),
    (_METRICS, "DeleteMetricDescriptor"): _rule("DELETE", "/v3/{name=projects/*/metricDescriptors/**}"),
    (_METRICS, "ListMonitoredResourceDescriptors"): _rule(
        "GET", "/v3/{name=projects/*}/monitoredResourceDescriptors"
    ),
    (_METRICS, "GetMonitoredResourceDescriptor"): _rule(
        "GET", "/v3/{name=projects/*/monitoredResourceDescriptors/*}"
    ),
}
