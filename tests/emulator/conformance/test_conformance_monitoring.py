"""Time series are listed as the Monitoring pages say, and refused with the field at fault."""

from typing import Any

import api_pages as pages
import pytest
from emulator_cloud import Cloud
from google.cloud import monitoring_v3
from google.cloud.monitoring_v3 import Aggregation
from patience import eventually
from rows import Call, Refusal, refusals

COUNT = 'metric.type="run.googleapis.com/request_count"'
INSTANCES = 'metric.type="run.googleapis.com/container/instance_count"'
FOREVER = {"start_time": {"seconds": 1}, "end_time": {"seconds": 2_000_000_000}}
HEADERS = monitoring_v3.ListTimeSeriesRequest.TimeSeriesView.HEADERS
ALIGNER = "aggregation.per_series_aligner"
SUM = Aggregation.Reducer.REDUCE_SUM


def asking(**request: Any) -> Call:
    """List time series of the project: those that count requests unless told otherwise."""
    call = {"name": "projects/conformance", "filter": COUNT, "interval": FOREVER, **request}
    return lambda cloud: cloud.metrics.list_time_series(request=call, retry=None)


def choosing(more: str) -> Call:
    """List the request counts that a further condition chooses."""
    return asking(filter=f"{COUNT} AND {more}")


def aggregating(**aggregation: Any) -> Call:
    """List aggregated request counts."""
    return asking(aggregation=aggregation)


ROWS = refusals(
    ("two metrics", pages.LIST_TIME_SERIES, asking(filter=f"{COUNT} {INSTANCES}"), "filter", "one metric"),
    ("text that is more", pages.METRIC_FILTERS, choosing('metric.labels.a>"1"'), "filter", "'>' does not"),
    ("a strange function", pages.METRIC_FILTERS, choosing('metric.labels.a=b("1")'), "filter", "allowed are"),
    ("an open quote", pages.METRIC_FILTERS, choosing('metric.labels.a="'), "filter", "unparseable at"),
    ("a garbled token", pages.PAGING, asking(page_token="g" * 8), "page_token", "gave out"),
    ("a sum of raw points", pages.AGGREGATION, aggregating(cross_series_reducer=SUM), ALIGNER, "is required"),
)  # fmt: skip


@pytest.mark.usefixtures("standing")
@pytest.mark.parametrize("row", ROWS)
def test_a_wrong_question_is_refused(cloud: Cloud, row: Refusal) -> None:
    row.check(cloud)


@pytest.mark.conformance(pages.LIST_TIME_SERIES)
@pytest.mark.usefixtures("standing")
def test_headers_come_without_points_and_page_by_page(cloud: Cloud) -> None:
    ask = asking(filter=INSTANCES, view=HEADERS, page_size=1)
    pages_ = eventually(lambda: list(ask(cloud).pages), lambda found: len(found) > 1)
    assert all(len(page.time_series) == 1 and not page.time_series[0].points for page in pages_)
    token = pages_[0].next_page_token
    with pytest.raises(Exception, match="page_token: belongs to a call with other parameters"):
        asking(view=HEADERS, page_size=1, page_token=token)(cloud)


@pytest.mark.conformance(pages.RUN_METRICS)
@pytest.mark.usefixtures("standing")
def test_instances_are_a_gauge_of_a_revision_by_state(cloud: Cloud) -> None:
    found = eventually(lambda: list(asking(filter=INSTANCES)(cloud)))
    assert {series.metric.labels["state"] for series in found} == {"active", "idle"}
    assert {series.resource.type for series in found} == {"cloud_run_revision"}
    assert set(found[0].resource.labels) == {
        "project_id", "location", "service_name", "revision_name", "configuration_name"
    }  # fmt: skip
    ends = [point.interval.end_time for point in found[0].points]
    assert ends == sorted(ends, reverse=True)


@pytest.mark.conformance(pages.TIME_INTERVAL)
@pytest.mark.usefixtures("standing")
def test_a_project_or_an_interval_without_points_has_no_series(cloud: Cloud) -> None:
    eventually(lambda: list(asking(filter=INSTANCES)(cloud)))
    assert not list(asking(filter=INSTANCES, name="projects/elsewhere")(cloud))
    long_ago = {"start_time": {"seconds": 1}, "end_time": {"seconds": 2}}
    assert not list(asking(filter=INSTANCES, interval=long_ago)(cloud))
