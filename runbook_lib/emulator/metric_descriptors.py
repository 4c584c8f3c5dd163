"""google.monitoring.v3.MetricService: describes the metrics and the one monitored resource there are.

Source: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.metricDescriptors
and https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.monitoredResourceDescriptors
"""

from collections.abc import Callable, Iterable
from typing import Any

from google.api import launch_stage_pb2, metric_pb2, monitored_resource_pb2
from google.cloud.monitoring_v3 import types

from .clock import NS_PER_S
from .errors import invalid, not_found
from .metric_filter import Read, Selectors, compile_filter
from .metric_store import MetricStore
from .metric_types import METRIC_TYPES, RESOURCE_TYPE, MetricType
from .monitoring_api import SERVICE, Sampling, parse_project
from .paging import page_of
from .wire import Message, Method

MAX_PAGE_SIZE = 10_000
_GA = launch_stage_pb2.LaunchStage.Value("GA")
_RESOURCE_LABELS = {
    "project_id": "Project of the service.",
    "service_name": "Service that the revision belongs to.",
    "revision_name": "The revision.",
    "location": "Region that the service runs in.",
    "configuration_name": "Configuration that made the revision; it is named like the service.",
}


class DescriptorsApi:
    """Answers from the table of metrics; the store says which of them have data."""

    def __init__(self, store: MetricStore, sampling: Sampling) -> None:
        self._store = store
        self._sampling = sampling

    def methods(self) -> list[Method]:
        """Return the table of methods."""
        return [
            _method("ListMetricDescriptors", types.ListMetricDescriptorsRequest, self._list_metrics),
            _method("GetMetricDescriptor", types.GetMetricDescriptorRequest, self._get_metric),
            _method(
                "ListMonitoredResourceDescriptors",
                types.ListMonitoredResourceDescriptorsRequest,
                self._list_resources,
            ),
            _method(
                "GetMonitoredResourceDescriptor",
                types.GetMonitoredResourceDescriptorRequest,
                self._get_resource,
            ),
        ]

    async def _list_metrics(self, request: Message) -> Message:
        project = parse_project(request.name)
        matches = compile_filter(request.filter, _metric_selectors(project))
        found = [
            metric
            for metric in METRIC_TYPES.values()
            if matches(metric) and (not request.active_only or self._has_data(project, metric))
        ]
        # This one list takes every size: what is out of bounds means as many as there can be.
        request.page_size = request.page_size if 0 < request.page_size <= MAX_PAGE_SIZE else MAX_PAGE_SIZE
        page, token = page_of(found, lambda metric: metric.name, request, MAX_PAGE_SIZE)
        return types.ListMetricDescriptorsResponse.pb()(
            metric_descriptors=[self._metric(project, metric) for metric in page], next_page_token=token
        )

    async def _get_metric(self, request: Message) -> Message:
        project, name = _split(request.name, "metricDescriptors")
        if name not in METRIC_TYPES:
            raise not_found(request.name)
        return self._metric(project, METRIC_TYPES[name])

    async def _list_resources(self, request: Message) -> Message:
        project = parse_project(request.name)
        matches = compile_filter(request.filter, _resource_selector)
        found = [RESOURCE_TYPE] if matches(RESOURCE_TYPE) else []
        page, token = page_of(found, str, request, MAX_PAGE_SIZE)
        return types.ListMonitoredResourceDescriptorsResponse.pb()(
            resource_descriptors=[_resource(project) for _ in page], next_page_token=token
        )

    async def _get_resource(self, request: Message) -> Message:
        project, name = _split(request.name, "monitoredResourceDescriptors")
        if name != RESOURCE_TYPE:
            raise not_found(request.name)
        return _resource(project)

    def _has_data(self, project: str, metric: MetricType) -> bool:
        return any(series.id.revision.project == project for series in self._store.series(metric.name))

    def _metric(self, project: str, metric: MetricType) -> Message:
        descriptor = metric_pb2.MetricDescriptor(
            name=f"projects/{project}/metricDescriptors/{metric.name}",
            type=metric.name,
            labels=_labels(metric.labels.items()),
            metric_kind=metric.kind,  # type: ignore[arg-type,unused-ignore]
            value_type=metric.value_type,  # type: ignore[arg-type,unused-ignore]
            unit=metric.unit,
            description=metric.description,
            display_name=metric.title,
            launch_stage=_GA,
            monitored_resource_types=[RESOURCE_TYPE],
        )
        descriptor.metadata.launch_stage = _GA
        descriptor.metadata.sample_period.FromNanoseconds(round(self._sampling.period_s * NS_PER_S))
        descriptor.metadata.ingest_delay.FromNanoseconds(round(self._sampling.lag_s * NS_PER_S))
        return descriptor


def _method(name: str, request: Any, handle: Callable[[Message], Any]) -> Method:
    return Method(service=SERVICE, name=name, request=request.pb(), handle=handle)


def _split(name: str, collection: str) -> tuple[str, str]:
    """Return project and type of a descriptor's name."""
    parts = name.split("/", 3)
    if len(parts) < 4 or (parts[0], parts[2]) != ("projects", collection) or not parts[1]:
        raise invalid("name", f"'{name}' is not projects/PROJECT/{collection}/TYPE")
    return parts[1], parts[3]


def _metric_selectors(project: str) -> Selectors:
    def selector(path: tuple[str, ...]) -> Read:
        match path:
            case ("project",):
                return lambda _: project
            case ("metric", "type"):
                return lambda metric: metric.name
            case ("metric", "label" | "labels"):
                return lambda metric: tuple(metric.labels)
        return _resource_selector(path)

    return selector


def _resource_selector(path: tuple[str, ...]) -> Read:
    match path:
        case ("resource", "type"):
            return lambda _: RESOURCE_TYPE
        case ("resource", "label" | "labels"):
            return lambda _: tuple(_RESOURCE_LABELS)
    raise invalid("filter", f"'{'.'.join(path)}' does not select descriptors")


def _resource(project: str) -> Message:
    return monitored_resource_pb2.MonitoredResourceDescriptor(
        name=f"projects/{project}/monitoredResourceDescriptors/{RESOURCE_TYPE}",
        type=RESOURCE_TYPE,
        display_name="Cloud Run Revision",
        description="A revision of a Cloud Run service.",
        labels=_labels(_RESOURCE_LABELS.items()),
        launch_stage=_GA,
    )


def _labels(labels: Iterable[tuple[str, str]]) -> list[Any]:
    return [{"key": key, "description": description} for key, description in labels]
