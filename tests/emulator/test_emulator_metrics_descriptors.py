"""Descriptors of metrics and resources, pages and lag: the rest of what Monitoring says about time series."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import local
import pytest
from emulator_cloud import PROJECT, Cloud, connect, named_field, run_command
from google.api import metric_pb2
from google.api_core import exceptions
from google.cloud import monitoring_v3
from google.cloud.monitoring_v3 import types
from patience import eventually

from runbook_lib.emulator.metric_store import MetricStore
from runbook_lib.emulator.metric_types import INSTANCE_COUNT, REQUEST_COUNT
from runbook_lib.emulator.monitoring_api import MonitoringApi, Sampling
from runbook_lib.emulator.names import RevisionId
from runbook_lib.emulator.server import Settings

REFERENCE = "https://cloud.google.com/monitoring/api/ref_v3/rest/v3/"
METRICS = REFERENCE + "projects.metricDescriptors"
RESOURCES = REFERENCE + "projects.monitoredResourceDescriptors"
NAME = f"projects/{PROJECT}"
KINDS = metric_pb2.MetricDescriptor.MetricKind.Name
TYPES = metric_pb2.MetricDescriptor.ValueType.Name
S = 1_000_000_000
RESPONSE, STATE = {"response_code", "response_code_class"}, {"state"}


def listed(cloud: Cloud, filter_: str = "", **request: Any) -> list[str]:
    """Return the metric types in a list, without their prefix."""
    request = {"name": NAME, "filter": filter_, **request}
    found = cloud.metrics.list_metric_descriptors(request=request, retry=None)
    return [one.type.removeprefix("run.googleapis.com/") for one in found]


@pytest.mark.conformance("https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run")
@pytest.mark.parametrize(
    ("metric", "kind", "value_type", "unit", "labels"),
    [
        ("request_count", "DELTA", "INT64", "1", RESPONSE),
        ("request_latencies", "DELTA", "DISTRIBUTION", "ms", RESPONSE),
        ("container/memory/utilizations", "DELTA", "DISTRIBUTION", "10^2.%", set()),
        ("container/cpu/utilizations", "DELTA", "DISTRIBUTION", "10^2.%", set()),
        ("container/startup_latencies", "DELTA", "DISTRIBUTION", "ms", set()),
        ("container/max_request_concurrencies", "DELTA", "DISTRIBUTION", "1", STATE),
        ("container/instance_count", "GAUGE", "INT64", "1", STATE),
        ("container/billable_instance_time", "DELTA", "DOUBLE", "s", set()),
        ("container/cpu/allocation_time", "DELTA", "DOUBLE", "s", set()),
        ("container/memory/allocation_time", "DELTA", "DOUBLE", "GiBy.s", set()),
        ("container/network/sent_bytes_count", "DELTA", "INT64", "By", {"kind"}),
        ("container/network/received_bytes_count", "DELTA", "INT64", "By", {"kind"}),
    ],
)
def test_a_metric_is_described_as_cloud_run_s(
    cloud: Cloud, metric: str, kind: str, value_type: str, unit: str, labels: set[str]
) -> None:
    name = f"{NAME}/metricDescriptors/run.googleapis.com/{metric}"
    found = cloud.metrics.get_metric_descriptor(name=name, retry=None)

    assert (found.name, found.type) == (name, f"run.googleapis.com/{metric}")
    assert (KINDS(found.metric_kind), TYPES(found.value_type), found.unit) == (kind, value_type, unit)
    assert {label.key for label in found.labels} == labels
    assert list(found.monitored_resource_types) == ["cloud_run_revision"]
    # The fixture samples every 0.2 s; points are seen two periods later, as on Google Cloud.
    assert found.metadata.sample_period.ToMilliseconds() == 200
    assert found.metadata.ingest_delay.ToMilliseconds() == 400


@pytest.mark.conformance(METRICS + "/list")
@pytest.mark.parametrize(
    ("filter_", "count"),
    [
        ("", 12),
        ('metric.type = starts_with("run.googleapis.com/")', 12),
        ('metric.type = starts_with("custom.googleapis.com/")', 0),
        ('metric.type = "run.googleapis.com/request_count"', 1),
        ('metric.type = ends_with("_count") AND NOT metric.type:network', 2),
        ("metric.label:state", 2),
        ("metric.labels:stat", 0),
        ('resource.type = "cloud_run_revision"', 12),
        ('resource.type = "gce_instance"', 0),
        (f'project = "{PROJECT}"', 12),
    ],
)
def test_metrics_are_chosen_by_a_filter(cloud: Cloud, filter_: str, count: int) -> None:
    assert len(listed(cloud, filter_)) == count


@pytest.mark.conformance(METRICS + "/list")
def test_metrics_come_in_pages_and_sizes_out_of_bounds_mean_all(cloud: Cloud) -> None:
    request = {"name": NAME, "page_size": 5}
    pages = [
        [one.type for one in page.metric_descriptors]
        for page in cloud.metrics.list_metric_descriptors(request=request, retry=None).pages
    ]
    assert [len(page) for page in pages] == [5, 5, 2]
    everything = list(itertools.chain(*pages))
    assert everything == sorted(set(everything))
    assert len(listed(cloud, page_size=-1)) == len(listed(cloud, page_size=20_000)) == 12


@pytest.mark.conformance(METRICS + "/list")
def test_only_active_metrics_are_those_that_have_points(cloud: Cloud) -> None:
    cloud.deploy("active")
    eventually(lambda: "container/instance_count" in listed(cloud, active_only=True))
    request = {"name": "projects/empty", "active_only": True}
    assert not list(cloud.metrics.list_metric_descriptors(request=request, retry=None))


@pytest.mark.conformance(RESOURCES + "/list")
@pytest.mark.parametrize(
    ("filter_", "count"),
    [
        ("", 1),
        ('resource.type = starts_with("cloud_run_")', 1),
        ("resource.label:revision_name", 1),
        ("resource.label:zone", 0),
        ('resource.type = "gce_instance"', 0),
    ],
)
def test_resources_are_chosen_by_a_filter(cloud: Cloud, filter_: str, count: int) -> None:
    request = {"name": NAME, "filter": filter_}
    found = list(cloud.metrics.list_monitored_resource_descriptors(request=request, retry=None))
    assert len(found) == count


@pytest.mark.conformance("https://cloud.google.com/monitoring/api/resources#tag_cloud_run_revision")
def test_the_resource_has_the_labels_of_a_revision(cloud: Cloud) -> None:
    name = f"{NAME}/monitoredResourceDescriptors/cloud_run_revision"
    found = cloud.metrics.get_monitored_resource_descriptor(name=name, retry=None)
    assert (found.name, found.type) == (name, "cloud_run_revision")
    assert [label.key for label in found.labels] == [
        "project_id",
        "service_name",
        "revision_name",
        "location",
        "configuration_name",
    ]


@pytest.mark.conformance(METRICS + "/get")
@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("metricDescriptors/run.googleapis.com/container/cpu/utilizations", "metricKind"),
        ("metricDescriptors?filter=metric.type%3Dstarts_with(%22run%22)&pageSize=2", "metricDescriptors"),
        ("monitoredResourceDescriptors", "resourceDescriptors"),
        ("monitoredResourceDescriptors/cloud_run_revision", "displayName"),
    ],
)
def test_the_rest_wire_has_them_too(cloud: Cloud, path: str, key: str) -> None:
    answer = local.get(f"{cloud.info['http']}/v3/{NAME}/{path}", timeout=30)
    assert (answer.status_code, key in answer.json()) == (200, True)


@pytest.mark.refusal
@pytest.mark.conformance(METRICS + "/get")
@pytest.mark.parametrize(
    ("path", "code", "status"),
    [
        ("metricDescriptors/run.googleapis.com/no_such", 404, "NOT_FOUND"),
        ("monitoredResourceDescriptors/gce_instance", 404, "NOT_FOUND"),
        ("metricDescriptors?filter=color%3D1", 400, "INVALID_ARGUMENT"),
        ("metricDescriptors?pageToken=nonsense", 400, "INVALID_ARGUMENT"),
        ("monitoredResourceDescriptors?pageSize=-1", 400, "INVALID_ARGUMENT"),
        ("timeSeries?filter=metric.type%3Dx", 400, "INVALID_ARGUMENT"),
    ],
)
def test_the_rest_wire_refuses_with_its_codes(cloud: Cloud, path: str, code: int, status: str) -> None:
    answer = local.get(f"{cloud.info['http']}/v3/{NAME}/{path}", timeout=30)
    assert (answer.status_code, answer.json()["error"]["status"]) == (code, status)


@pytest.mark.refusal
@pytest.mark.conformance(METRICS)
@pytest.mark.parametrize(
    ("method", "request_", "error", "field"),
    [
        (
            "get_metric_descriptor",
            {"name": f"{NAME}/metricDescriptors/run.googleapis.com/nope"},
            exceptions.NotFound,
            None,
        ),
        ("get_metric_descriptor", {"name": "nonsense"}, exceptions.InvalidArgument, "name"),
        (
            "get_monitored_resource_descriptor",
            {"name": f"{NAME}/monitoredResourceDescriptors/nope"},
            exceptions.NotFound,
            None,
        ),
        ("get_monitored_resource_descriptor", {"name": NAME}, exceptions.InvalidArgument, "name"),
        ("list_metric_descriptors", {"name": "test"}, exceptions.InvalidArgument, "name"),
        (
            "list_metric_descriptors",
            {"name": NAME, "filter": "metric.kind = GAUGE"},
            exceptions.InvalidArgument,
            "filter",
        ),
        (
            "list_metric_descriptors",
            {"name": NAME, "filter": 'metric.label = "state"'},
            exceptions.InvalidArgument,
            "filter",
        ),
        (
            "list_monitored_resource_descriptors",
            {"name": NAME, "filter": 'metric.type = "x"'},
            exceptions.InvalidArgument,
            "filter",
        ),
        (
            "list_monitored_resource_descriptors",
            {"name": NAME, "page_size": -1},
            exceptions.InvalidArgument,
            "page_size",
        ),
        ("create_time_series", {"name": NAME, "time_series": []}, exceptions.MethodNotImplemented, None),
        ("create_service_time_series", {"name": NAME}, exceptions.MethodNotImplemented, None),
        ("create_metric_descriptor", {"name": NAME}, exceptions.MethodNotImplemented, None),
        (
            "delete_metric_descriptor",
            {"name": f"{NAME}/metricDescriptors/custom.googleapis.com/x"},
            exceptions.MethodNotImplemented,
            None,
        ),
    ],
)
def test_what_there_is_not_is_refused(
    cloud: Cloud, method: str, request_: dict[str, Any], error: type[Exception], field: str | None
) -> None:
    with pytest.raises(error) as refused:
        list(getattr(cloud.metrics, method)(request=request_, retry=None))
    assert isinstance(refused.value, exceptions.GoogleAPICallError)
    assert field is None or named_field(refused.value) == field


@pytest.fixture
def store() -> MetricStore:
    """Two series with five points each, one a second."""
    store = MetricStore(0)
    revision = RevisionId(project="p", location="l", service="s", revision="s-1")
    for at_s in range(1, 6):
        for label in ("active", "idle"):
            store.gauge(INSTANCE_COUNT, revision, at_s, {"state": label}, at_s * S)
        store.close_window(at_s * S)
    return store


async def ask(store: MetricStore, now_s: float, lag_s: float = 0, **request: Any) -> Any:
    """Ask for the instance counts of the first ten seconds at some time."""
    api = MonitoringApi(store, Sampling(period_s=1, lag_s=lag_s), now_ns=lambda: round(now_s * S))
    call = {
        "name": "projects/p",
        "filter": f'metric.type="{INSTANCE_COUNT.name}"',
        "interval": {"start_time": {"seconds": 0}, "end_time": {"seconds": 10}},
        **request,
    }
    return await api.list_time_series(types.ListTimeSeriesRequest.pb(types.ListTimeSeriesRequest(call)))


@pytest.mark.parametrize(
    ("now_s", "lag_s", "seen"), [(5, 0, 5), (5, 2, 3), (6.9, 2, 4), (7, 2, 5), (1.9, 1, 0), (5, 120, 0)]
)
async def test_a_point_is_seen_only_after_the_lag(
    store: MetricStore, now_s: float, lag_s: float, seen: int
) -> None:
    answer = await ask(store, now_s, lag_s)
    assert [len(series.points) for series in answer.time_series] == ([seen, seen] if seen else [])


def test_unless_told_the_lag_is_two_sample_periods() -> None:
    assert Settings(sample_period_s=0.5).sampling == Sampling(period_s=0.5, lag_s=1.0)
    assert Settings(sample_period_s=0.5, metric_lag_s=0).sampling.lag_s == 0


async def test_a_page_counts_points_and_goes_on_where_the_last_one_ended(store: MetricStore) -> None:
    found: list[tuple[str, int]] = []
    sizes, token = [], ""
    while True:
        answer = await ask(store, 10, page_size=3, page_token=token)
        points = [
            (series.metric.labels["state"], point.value.int64_value)
            for series in answer.time_series
            for point in series.points
        ]
        sizes.append(len(points))
        found += points
        token = answer.next_page_token
        if not token:
            break
        # A point that comes in between changes nothing that was given out.
        series = next(iter(store.series(INSTANCE_COUNT.name)))
        store.gauge(INSTANCE_COUNT, series.id.revision, 9, {"state": "active"}, (6 + len(sizes)) * S)
    assert found == [(state, value) for state in ("active", "idle") for value in (5, 4, 3, 2, 1)]
    assert sizes == [3, 3, 3, 1]


async def test_a_page_of_headers_counts_series(store: MetricStore) -> None:
    headers = monitoring_v3.ListTimeSeriesRequest.TimeSeriesView.HEADERS
    first = await ask(store, 10, page_size=1, view=headers)
    second = await ask(store, 10, page_size=1, view=headers, page_token=first.next_page_token)
    assert [s.metric.labels["state"] for s in (*first.time_series, *second.time_series)] == ["active", "idle"]
    assert (bool(first.next_page_token), second.next_page_token) == (True, "")
    # More than the API's most is the most.
    assert len((await ask(store, 10, page_size=200_000)).time_series) == 2


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An emulator whose metrics are seen after half a minute."""
    folder: Path = tmp_path_factory.mktemp("late")
    options = ["--state-dir", str(folder)]
    started = run_command("up", *options, "--json", "--sample-period", "0.1", "--metric-lag", "30")
    assert started.returncode == 0, started.stderr
    yield connect(json.loads(started.stdout))
    assert run_command("down", *options).returncode == 0


def test_the_lag_can_be_given_on_the_command_line(late: Cloud) -> None:
    name = f"{NAME}/metricDescriptors/{REQUEST_COUNT.name}"
    assert late.metrics.get_metric_descriptor(name=name, retry=None).metadata.ingest_delay.seconds == 30
