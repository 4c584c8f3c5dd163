"""Which IAM permission each API method needs; whose absence is a fault that can be switched on.

Source: https://cloud.google.com/iam/docs/permissions-reference
"""

import re

from .errors import invalid
from .wire import Method

_PERMISSION = re.compile(r"[a-z][a-zA-Z]*\.[a-zA-Z]+\.[a-zA-Z]+")

_RUN = "google.cloud.run.v2"
_LOGGING = "google.logging.v2.LoggingServiceV2"
_METRICS = "google.monitoring.v3.MetricService"

PERMISSIONS = {
    (f"{_RUN}.Services", "CreateService"): "run.services.create",
    (f"{_RUN}.Services", "GetService"): "run.services.get",
    (f"{_RUN}.Services", "ListServices"): "run.services.list",
    (f"{_RUN}.Services", "UpdateService"): "run.services.update",
    (f"{_RUN}.Services", "DeleteService"): "run.services.delete",
    (f"{_RUN}.Revisions", "GetRevision"): "run.revisions.get",
    (f"{_RUN}.Revisions", "ListRevisions"): "run.revisions.list",
    (f"{_RUN}.Revisions", "DeleteRevision"): "run.revisions.delete",
    ("google.longrunning.Operations", "GetOperation"): "run.operations.get",
    ("google.longrunning.Operations", "WaitOperation"): "run.operations.get",
    ("google.longrunning.Operations", "ListOperations"): "run.operations.list",
    (_LOGGING, "ListLogEntries"): "logging.logEntries.list",
    (_LOGGING, "TailLogEntries"): "logging.logEntries.list",
    (_LOGGING, "WriteLogEntries"): "logging.logEntries.create",
    (_METRICS, "ListTimeSeries"): "monitoring.timeSeries.list",
    (_METRICS, "CreateTimeSeries"): "monitoring.timeSeries.create",
    (_METRICS, "CreateServiceTimeSeries"): "monitoring.timeSeries.create",
    (_METRICS, "ListMetricDescriptors"): "monitoring.metricDescriptors.list",
    (_METRICS, "GetMetricDescriptor"): "monitoring.metricDescriptors.get",
    (_METRICS, "CreateMetricDescriptor"): "monitoring.metricDescriptors.create",
    (_METRICS, "DeleteMetricDescriptor"): "monitoring.metricDescriptors.delete",
    ("google.cloud.bigquery.v2.JobService", "Query"): "bigquery.jobs.create",
    ("google.cloud.bigquery.v2.JobService", "InsertJob"): "bigquery.jobs.create",
}


def permission_of(method: Method) -> str:
    """Return what a caller of a method must be allowed to do; empty where everybody may call it."""
    return PERMISSIONS.get((method.service, method.name), "")


def check_permission(name: str) -> None:
    """Refuse what is no permission such as `run.services.get`: wildcards above all.

    Raises:
        ApiError: INVALID_ARGUMENT that names the field.
    """
    if not _PERMISSION.fullmatch(name):
        raise invalid("permissions", f"'{name}' is no permission such as run.services.get")
