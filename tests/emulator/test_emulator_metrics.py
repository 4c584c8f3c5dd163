"""Requests, memory and starts become Cloud Run's time series, which the Monitoring API lists and aligns."""

import time

import httpx
import local
import pytest
from emulator_cloud import PROJECT, Cloud, named_field
from google.api import metric_pb2
from google.api_core import exceptions
from google.cloud import monitoring_v3, run_v2
from patience import eventually

from runbook_lib.emulator.metric_distribution import Distribution
from runbook_lib.emulator.metric_types import REQUEST_LATENCIES

KIND = metric_pb2.MetricDescriptor.MetricKind
VALUE = metric_pb2.MetricDescriptor.ValueType
ALIGN = monitoring_v3.Aggregation.Aligner
REDUCE = monitoring_v3.Aggregation.Reducer
LIST_PAGE = "https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/list"
METRICS_PAGE = "https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run"


@pytest.fixture(scope="module")
def measured(cloud: Cloud) -> run_v2.Service:
    """A service that has answered 30 requests, a third of them badly, and whose figures have come in."""
    made = cloud.deploy("measured")
    with httpx.Client() as client:
        for _ in range(10):
            client.get(f"{made.uri}/status/200")
            client.get(f"{made.uri}/sleep/0.02")
            client.get(f"{made.uri}/status/503")
    eventually(lambda: total(cloud.series("request_count", "measured")), lambda count: count == 30)
    return made


def total(series: list[monitoring_v3.TimeSeries]) -> int:
    """Add up a counter's points."""
    return sum(point.value.int64_value for one in series for point in one.points)


@pytest.mark.conformance(METRICS_PAGE)
def test_requests_are_counted_by_response_code(cloud: Cloud, measured: run_v2.Service) -> None:
    series = {
        one.metric.labels["response_code_class"]: one for one in cloud.series("request_count", "measured")
    }

    assert series.keys() == {"2xx", "5xx"}
    assert (total([series["2xx"]]), total([series["5xx"]])) == (20, 10)
    one = series["5xx"]
    assert one.metric.labels["response_code"] == "503"
    assert one.resource.type == "cloud_run_revision"
    assert one.resource.labels["revision_name"] == measured.latest_ready_revision.rsplit("/", 1)[-1]
    assert (one.metric_kind, one.value_type, one.unit) == (KIND.Value("DELTA"), VALUE.Value("INT64"), "1")


@pytest.mark.conformance(METRICS_PAGE)
def test_latencies_are_distributions_in_milliseconds(cloud: Cloud, measured: run_v2.Service) -> None:
    series = cloud.series("request_latencies", "measured")
    points = [point.value.distribution_value for one in series for point in one.points]

    assert sum(point.count for point in points) == 30
    assert all(sum(point.bucket_counts) == point.count for point in points)
    assert all(one.unit == "ms" and one.value_type == VALUE.Value("DISTRIBUTION") for one in series)
    slowest = max(point.mean + point.sum_of_squared_deviation**0.5 for point in points)
    assert 20 <= slowest < 5000


@pytest.mark.conformance(LIST_PAGE)
def test_points_come_newest_first_and_delta_intervals_touch(cloud: Cloud, measured: run_v2.Service) -> None:
    points = eventually(
        lambda: cloud.series("container/memory/utilizations", "measured")[0].points,
        lambda found: len(found) >= 3,
    )
    ends = [point.interval.end_time for point in points]
    assert ends == sorted(ends, reverse=True)
    assert points[0].interval.start_time == points[1].interval.end_time


@pytest.mark.conformance(METRICS_PAGE)
def test_memory_is_the_group_s_share_of_the_template_s_limit(cloud: Cloud) -> None:
    made = cloud.deploy("heavy", resources={"limits": {"memory": "1Gi"}})

    def newest() -> float:
        series = cloud.series("container/memory/utilizations", "heavy")
        return float(series[0].points[0].value.distribution_value.mean) if series else 0.0

    before = eventually(newest)
    local.get(f"{made.uri}/hold/100", timeout=20)
    after = eventually(newest, lambda ratio: ratio > before + 0.08)
    assert after == pytest.approx(before + 100 / 1024, abs=0.03)


@pytest.mark.conformance(METRICS_PAGE)
def test_each_start_has_a_latency(cloud: Cloud, measured: run_v2.Service) -> None:
    (series,) = cloud.series("container/startup_latencies", "measured")
    (point,) = series.points
    assert point.value.distribution_value.count == 1
    assert 20 < point.value.distribution_value.mean < 60_000
    assert series.unit == "ms"


@pytest.mark.conformance(METRICS_PAGE)
def test_instances_are_counted_by_state(cloud: Cloud) -> None:
    made = cloud.deploy("busy")

    def newest() -> dict[str, int]:
        series = cloud.series("container/instance_count", "busy")
        return {one.metric.labels["state"]: one.points[0].value.int64_value for one in series}

    eventually(newest, lambda count: count == {"active": 0, "idle": 1})
    gauge = cloud.series("container/instance_count", "busy")[0]
    assert (gauge.metric_kind, gauge.value_type) == (KIND.Value("GAUGE"), VALUE.Value("INT64"))
    with httpx.stream("GET", f"{made.uri}/stream", timeout=10) as answer:
        # Held in a name: a generator that is dropped closes the connection.
        chunks = answer.iter_raw()
        next(chunks)
        eventually(newest, lambda count: count == {"active": 1, "idle": 0})
    eventually(newest, lambda count: count == {"active": 0, "idle": 1})


def test_a_failed_start_has_no_instance_and_no_start_latency(cloud: Cloud) -> None:
    with pytest.raises(exceptions.FailedPrecondition):
        cloud.deploy("unborn", image="exits")
    eventually(lambda: cloud.series("container/instance_count", "unborn"))
    assert not cloud.series("container/startup_latencies", "unborn")


def aggregation(aligner: int, seconds: int = 600, **more: object) -> dict[str, object]:
    """Build an aggregation over one long period."""
    return {"aggregation": {"per_series_aligner": aligner, "alignment_period": {"seconds": seconds}, **more}}


def test_delta_sums_a_period_and_rate_divides_it(cloud: Cloud, measured: run_v2.Service) -> None:
    delta = cloud.series("request_count", "measured", **aggregation(ALIGN.ALIGN_DELTA))
    assert sorted(point.value.int64_value for one in delta for point in one.points) == [10, 20]
    rate = cloud.series("request_count", "measured", **aggregation(ALIGN.ALIGN_RATE))
    assert sorted(point.value.double_value for one in rate for point in one.points) == pytest.approx(
        [1 / 60, 1 / 30]
    )


def test_a_percentile_is_read_from_the_distribution(cloud: Cloud, measured: run_v2.Service) -> None:
    median, p95, p99 = (
        max(
            point.value.double_value
            for one in cloud.series("request_latencies", "measured", **aggregation(aligner))
            for point in one.points
        )
        for aligner in (ALIGN.ALIGN_PERCENTILE_50, ALIGN.ALIGN_PERCENTILE_95, ALIGN.ALIGN_PERCENTILE_99)
    )
    assert 0 < median <= p95 <= p99
    assert p95 >= 20


def test_series_are_summed_into_groups(cloud: Cloud, measured: run_v2.Service) -> None:
    (everything,) = cloud.series(
        "request_count", "measured", **aggregation(ALIGN.ALIGN_DELTA, cross_series_reducer=REDUCE.REDUCE_SUM)
    )
    assert total([everything]) == 30
    by_class = cloud.series(
        "request_count",
        "measured",
        **aggregation(
            ALIGN.ALIGN_SUM,
            cross_series_reducer=REDUCE.REDUCE_SUM,
            group_by_fields=["metric.labels.response_code_class"],
        ),
    )
    assert {one.metric.labels["response_code_class"]: total([one]) for one in by_class} == {
        "2xx": 20,
        "5xx": 10,
    }


@pytest.mark.conformance("https://cloud.google.com/monitoring/api/v3/filters")
def test_a_filter_can_choose_by_label(cloud: Cloud, measured: run_v2.Service) -> None:
    base = 'metric.type="run.googleapis.com/request_count" resource.labels.service_name="measured" AND '
    for condition, count in (
        ('metric.labels.response_code_class="5xx"', 10),
        ('metric.label.response_code_class!="5xx"', 20),
        ('metric.labels.response_code=starts_with("20")', 20),
        ('metric.labels.response_code=one_of("200", "503")', 30),
        ('resource.labels.service_name=monitoring.regex.full_match("meas.*")', 30),
        ('metric.labels.response_code_class="4xx"', 0),
    ):
        assert total(cloud.series("request_count", "measured", filter=base + condition)) == count, condition


@pytest.mark.conformance(LIST_PAGE)
def test_only_the_interval_s_points_are_listed(cloud: Cloud, measured: run_v2.Service) -> None:
    past = {"start_time": {"seconds": 1_000}, "end_time": {"seconds": int(time.time()) - 3600}}
    assert not cloud.series("request_count", "measured", interval=past)


@pytest.mark.conformance(LIST_PAGE)
def test_headers_come_without_points_and_in_pages(cloud: Cloud, measured: run_v2.Service) -> None:
    view = monitoring_v3.ListTimeSeriesRequest.TimeSeriesView.HEADERS
    series = cloud.series("request_count", "measured", view=view, page_size=1)
    assert len(series) == 2
    assert not any(one.points for one in series)


GOOD_FILTER = 'metric.type="run.googleapis.com/request_count"'
NOW = {"end_time": {"seconds": 2_000_000_000}}


@pytest.mark.refusal
@pytest.mark.conformance(LIST_PAGE)
@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"filter": GOOD_FILTER}, "interval.end_time: is required"),
        ({"filter": "", "interval": NOW}, "filter: must name exactly one metric"),
        ({"filter": 'resource.type="x"', "interval": NOW}, "filter: must name exactly one metric"),
        ({"filter": 'metric.type="run.googleapis.com/nope"', "interval": NOW}, "filter: no metric"),
        ({"filter": f"{GOOD_FILTER} AND", "interval": NOW}, "filter: unparseable at column"),
        ({"filter": f'{GOOD_FILTER} color="x"', "interval": NOW}, "filter: 'color' is not"),
        ({"filter": GOOD_FILTER, "interval": NOW, "name": "test"}, "name: 'test' is not projects/PROJECT"),
        ({"filter": GOOD_FILTER, "interval": NOW, "page_size": -1}, "page_size"),
        (
            {"filter": GOOD_FILTER, "interval": {**NOW, "start_time": {"seconds": 2_000_000_001}}},
            "interval.start_time: is later than the end",
        ),
        (
            {"filter": GOOD_FILTER, "interval": NOW, **aggregation(ALIGN.ALIGN_PERCENTILE_50)},
            "ALIGN_PERCENTILE_50 cannot be applied to metrics of kind DELTA and value type INT64",
        ),
        ({"filter": GOOD_FILTER, "interval": NOW, "order_by": "timestamp"}, "order_by: must be empty"),
        (
            {"filter": GOOD_FILTER, "interval": NOW, **aggregation(ALIGN.ALIGN_DELTA, seconds=0)},
            "alignment_period",
        ),
    ],
)
def test_a_wrong_question_is_refused(cloud: Cloud, request_: dict[str, object], problem: str) -> None:
    with pytest.raises(exceptions.InvalidArgument) as refused:
        cloud.metrics.list_time_series(request={"name": f"projects/{PROJECT}", **request_}, retry=None)
    assert problem in refused.value.message
    assert refused.value.message.startswith(f"{named_field(refused.value)}: ")


def test_merging_distributions_equals_adding_all_values() -> None:
    values = [1.0, 2.5, 40.0, 40.0, 300.0]
    together = Distribution(buckets=REQUEST_LATENCIES.buckets)
    parts = [Distribution(buckets=REQUEST_LATENCIES.buckets) for _ in range(2)]
    for index, value in enumerate(values):
        together.add(value)
        parts[index % 2].add(value)
    merged = Distribution(buckets=REQUEST_LATENCIES.buckets)
    for part in parts:
        merged.merge(part)

    assert (merged.count, merged.counts) == (5, together.counts)
    assert merged.mean == pytest.approx(76.7) == together.mean
    assert merged.squared_deviation == pytest.approx(together.squared_deviation)
    assert merged.percentile(50) == pytest.approx(40, rel=0.06)
    assert merged.percentile(99) == pytest.approx(300, rel=0.06)
