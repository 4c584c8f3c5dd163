"""The Cloud Run metrics that are measured here, with their real kinds, value types, units and labels.

Bucket layouts are not published; those here are fine enough that a percentile is off by 5 % at most.
Source: https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from google.api import metric_pb2

from .metric_distribution import NO_BUCKETS, Buckets, exponential, linear

RESOURCE_TYPE = "cloud_run_revision"
_PREFIX = "run.googleapis.com/"

DELTA = metric_pb2.MetricDescriptor.MetricKind.Value("DELTA")
GAUGE = metric_pb2.MetricDescriptor.MetricKind.Value("GAUGE")
INT64 = metric_pb2.MetricDescriptor.ValueType.Value("INT64")
DOUBLE = metric_pb2.MetricDescriptor.ValueType.Value("DOUBLE")
DISTRIBUTION = metric_pb2.MetricDescriptor.ValueType.Value("DISTRIBUTION")
BOOL = metric_pb2.MetricDescriptor.ValueType.Value("BOOL")


@dataclass(frozen=True, kw_only=True)
class MetricType:
    """Descriptor of one metric.

    Attributes:
        labels: What each label says, by its key.
        buckets: Layout of distributions.
    """

    name: str
    kind: int
    value_type: int
    unit: str
    title: str
    description: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    buckets: Buckets = NO_BUCKETS


_LATENCY_MS = exponential(360, 1.05, 0.1)
_RATIO = linear(200, 0.005, 0.0)
_EACH_COUNT = linear(1000, 1.0, 0.0)
_RESPONSE = {
    "response_code": "Status code of the answer, such as 503.",
    "response_code_class": "Class of the status code, such as 5xx.",
}
_STATE = {"state": "active while a request is under way, else idle."}
_KIND = {"kind": "Where the traffic goes to or comes from; requests come from the internet."}

REQUEST_COUNT = MetricType(
    name=_PREFIX + "request_count",
    kind=DELTA,
    value_type=INT64,
    unit="1",
    title="Request Count",
    description="Requests that the revision was sent and that have ended.",
    labels=_RESPONSE,
)
REQUEST_LATENCIES = MetricType(
    name=_PREFIX + "request_latencies",
    kind=DELTA,
    value_type=DISTRIBUTION,
    unit="ms",
    title="Request Latencies",
    description="How long requests took, from their arrival to the end of the answer.",
    labels=_RESPONSE,
    buckets=_LATENCY_MS,
)
MEMORY_UTILIZATIONS = MetricType(
    name=_PREFIX + "container/memory/utilizations",
    kind=DELTA,
    value_type=DISTRIBUTION,
    unit="10^2.%",
    title="Container Memory Utilization",
    description="Share of its memory limit that each instance holds.",
    buckets=_RATIO,
)
CPU_UTILIZATIONS = MetricType(
    name=_PREFIX + "container/cpu/utilizations",
    kind=DELTA,
    value_type=DISTRIBUTION,
    unit="10^2.%",
    title="Container CPU Utilization",
    description="Share of its CPU limit that each instance used since the sample before.",
    buckets=_RATIO,
)
STARTUP_LATENCIES = MetricType(
    name=_PREFIX + "container/startup_latencies",
    kind=DELTA,
    value_type=DISTRIBUTION,
    unit="ms",
    title="Container Startup Latency",
    description="How long instances took from their start until their start-up probe succeeded.",
    buckets=_LATENCY_MS,
)
MAX_REQUEST_CONCURRENCIES = MetricType(
    name=_PREFIX + "container/max_request_concurrencies",
    kind=DELTA,
    value_type=DISTRIBUTION,
    unit="1",
    title="Max Concurrent Requests",
    description="The most requests that each instance had under way at once since the sample before.",
    labels=_STATE,
    buckets=_EACH_COUNT,
)
INSTANCE_COUNT = MetricType(
    name=_PREFIX + "container/instance_count",
    kind=GAUGE,
    value_type=INT64,
    unit="1",
    title="Instance Count",
    description="Instances that exist, by state.",
    labels=_STATE,
)
BILLABLE_INSTANCE_TIME = MetricType(
    name=_PREFIX + "container/billable_instance_time",
    kind=DELTA,
    value_type=DOUBLE,
    unit="s",
    title="Billable Instance Time",
    description="Time that instances were starting or had a request, each spell rounded up to 100 ms.",
)
CPU_ALLOCATION_TIME = MetricType(
    name=_PREFIX + "container/cpu/allocation_time",
    kind=DELTA,
    value_type=DOUBLE,
    unit="s",
    title="Container CPU Allocation",
    description="Billable time multiplied by the CPU limit.",
)
MEMORY_ALLOCATION_TIME = MetricType(
    name=_PREFIX + "container/memory/allocation_time",
    kind=DELTA,
    value_type=DOUBLE,
    unit="GiBy.s",
    title="Container Memory Allocation",
    description="Billable time multiplied by the memory limit.",
)
SENT_BYTES_COUNT = MetricType(
    name=_PREFIX + "container/network/sent_bytes_count",
    kind=DELTA,
    value_type=INT64,
    unit="By",
    title="Sent Bytes",
    description="Bodies of answers and WebSocket bytes sent to clients, counted when the request ends.",
    labels=_KIND,
)
RECEIVED_BYTES_COUNT = MetricType(
    name=_PREFIX + "container/network/received_bytes_count",
    kind=DELTA,
    value_type=INT64,
    unit="By",
    title="Received Bytes",
    description="Bodies of requests and WebSocket bytes received, counted when the request ends.",
    labels=_KIND,
)

METRIC_TYPES = {
    metric.name: metric
    for metric in (
        REQUEST_COUNT,
        REQUEST_LATENCIES,
        MEMORY_UTILIZATIONS,
        CPU_UTILIZATIONS,
        STARTUP_LATENCIES,
        MAX_REQUEST_CONCURRENCIES,
        INSTANCE_COUNT,
        BILLABLE_INSTANCE_TIME,
        CPU_ALLOCATION_TIME,
        MEMORY_ALLOCATION_TIME,
        SENT_BYTES_COUNT,
        RECEIVED_BYTES_COUNT,
    )
}
