"""Aligners and reducers give what the reference says, on points whose results are worked out by hand.

Source: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/Aggregation
"""

import math
from typing import Any

import pytest
from google.cloud import monitoring_v3
from monitoring_questions import BAD, GOOD, S, ask, every, revision

from runbook_lib.emulator.aggregation_align import ALIGNERS
from runbook_lib.emulator.aggregation_reduce import REDUCERS
from runbook_lib.emulator.metric_store import MetricStore
from runbook_lib.emulator.metric_types import (
    BILLABLE_INSTANCE_TIME,
    DELTA,
    DISTRIBUTION,
    DOUBLE,
    GAUGE,
    INSTANCE_COUNT,
    INT64,
    REQUEST_COUNT,
    REQUEST_LATENCIES,
    MetricType,
)

ALIGN = monitoring_v3.Aggregation.Aligner
REDUCE = monitoring_v3.Aggregation.Reducer
ACTIVE, IDLE = {"state": "active"}, {"state": "idle"}


@pytest.fixture
def store() -> MetricStore:
    """Four samples at 10, 20, 30 and 40 s; two aligned periods of 20 s hold two each."""
    store = MetricStore(0)
    for at_s, good, bad, instances in ((10, 3, 1, 1), (20, 5, 0, 2), (30, 8, 2, 4), (40, 8, 0, 5)):
        store.add(REQUEST_COUNT, revision(), good, GOOD)
        if bad:
            store.add(REQUEST_COUNT, revision(), bad, BAD)
        store.add(BILLABLE_INSTANCE_TIME, revision(), good / 2)
        for _ in range(good):
            store.observe(REQUEST_LATENCIES, revision(), 10.0 * at_s, GOOD)
        store.observe(REQUEST_LATENCIES, revision(), 1000.0, BAD)
        store.gauge(INSTANCE_COUNT, revision(), instances, ACTIVE, at_s * S)
        store.gauge(INSTANCE_COUNT, revision(), 1, IDLE, at_s * S)
        store.close_window(at_s * S)
    return store


def values(series: Any) -> list[float]:
    """Return a series' numbers, oldest first."""
    return [getattr(point.value, point.value.WhichOneof("value")) for point in reversed(series.points)]


@pytest.mark.parametrize(
    ("aligner", "metric", "kind", "value_type", "unit", "expected"),
    [
        (ALIGN.ALIGN_DELTA, REQUEST_COUNT, DELTA, INT64, "1", [8, 16]),
        (ALIGN.ALIGN_DELTA, BILLABLE_INSTANCE_TIME, DELTA, DOUBLE, "s", [4.0, 8.0]),
        (ALIGN.ALIGN_RATE, REQUEST_COUNT, GAUGE, DOUBLE, "1/s", [0.4, 0.8]),
        (ALIGN.ALIGN_RATE, BILLABLE_INSTANCE_TIME, GAUGE, DOUBLE, "s/s", [0.2, 0.4]),
        (ALIGN.ALIGN_INTERPOLATE, INSTANCE_COUNT, GAUGE, INT64, "1", [2, 5]),
        (ALIGN.ALIGN_NEXT_OLDER, INSTANCE_COUNT, GAUGE, INT64, "1", [2, 5]),
        (ALIGN.ALIGN_MIN, INSTANCE_COUNT, GAUGE, INT64, "1", [1, 4]),
        (ALIGN.ALIGN_MIN, REQUEST_COUNT, GAUGE, INT64, "1", [3, 8]),
        (ALIGN.ALIGN_MAX, INSTANCE_COUNT, GAUGE, INT64, "1", [2, 5]),
        (ALIGN.ALIGN_MAX, BILLABLE_INSTANCE_TIME, GAUGE, DOUBLE, "s", [2.5, 4.0]),
        (ALIGN.ALIGN_MEAN, INSTANCE_COUNT, GAUGE, DOUBLE, "1", [1.5, 4.5]),
        (ALIGN.ALIGN_MEAN, REQUEST_COUNT, GAUGE, DOUBLE, "1", [4.0, 8.0]),
        (ALIGN.ALIGN_COUNT, INSTANCE_COUNT, GAUGE, INT64, "1", [2, 2]),
        (ALIGN.ALIGN_COUNT, BILLABLE_INSTANCE_TIME, GAUGE, INT64, "1", [2, 2]),
        (ALIGN.ALIGN_SUM, INSTANCE_COUNT, GAUGE, INT64, "1", [3, 9]),
        (ALIGN.ALIGN_SUM, REQUEST_COUNT, GAUGE, INT64, "1", [8, 16]),
        (ALIGN.ALIGN_STDDEV, INSTANCE_COUNT, GAUGE, DOUBLE, "1", [0.5, 0.5]),
        (ALIGN.ALIGN_STDDEV, REQUEST_COUNT, GAUGE, DOUBLE, "1", [1.0, 0.0]),
        # The ten minutes before hold 3 and 5, then 3, 5, 8 and 8: from a mean of 4 to one of 6.
        (ALIGN.ALIGN_PERCENT_CHANGE, REQUEST_COUNT, GAUGE, DOUBLE, "%", [50.0]),
        (ALIGN.ALIGN_PERCENT_CHANGE, INSTANCE_COUNT, GAUGE, DOUBLE, "%", [100.0]),
    ],
)
async def test_an_aligner_makes_one_number_of_each_period(
    store: MetricStore,
    aligner: int,
    metric: MetricType,
    kind: int,
    value_type: int,
    unit: str,
    expected: list[float],
) -> None:
    answer = await ask(store, metric, _first_series(metric), aggregation=every(20, aligner))
    (series,) = answer.time_series

    assert (series.metric_kind, series.value_type, series.unit, answer.unit) == (kind, value_type, unit, unit)
    assert values(series) == pytest.approx(expected)
    field = "int64_value" if value_type == INT64 else "double_value"
    assert {point.value.WhichOneof("value") for point in series.points} == {field}
    # A delta's interval is the period; a gauge has one moment.
    length_s = 20 if kind == DELTA else 0
    assert {p.interval.end_time.seconds - p.interval.start_time.seconds for p in series.points} == {length_s}
    assert series.points[0].interval.end_time.seconds == 40


def _first_series(metric: MetricType) -> str:
    chosen = {REQUEST_COUNT.name: 'response_code_class="2xx"', INSTANCE_COUNT.name: 'state="active"'}
    return f"metric.labels.{chosen[metric.name]}" if metric.name in chosen else ""


@pytest.mark.parametrize("aligner", [ALIGN.ALIGN_DELTA, ALIGN.ALIGN_SUM])
async def test_distributions_are_merged_by_delta_and_sum(store: MetricStore, aligner: int) -> None:
    answer = await ask(
        store, REQUEST_LATENCIES, 'metric.labels.response_code_class="2xx"', aggregation=every(20, aligner)
    )
    newer, older = (point.value.distribution_value for point in answer.time_series[0].points)

    assert answer.time_series[0].value_type == DISTRIBUTION
    assert (older.count, newer.count) == (8, 16)
    assert older.mean == pytest.approx((3 * 100 + 5 * 200) / 8)
    # Eight values of 300 and eight of 400 lie 50 from their mean.
    assert newer.sum_of_squared_deviation == pytest.approx(16 * 50**2)
    assert sum(newer.bucket_counts) == 16


@pytest.mark.parametrize(
    ("aligner", "expected"),
    [
        (ALIGN.ALIGN_PERCENTILE_05, [100, 300]),
        (ALIGN.ALIGN_PERCENTILE_50, [200, 300]),
        (ALIGN.ALIGN_PERCENTILE_95, [200, 400]),
        (ALIGN.ALIGN_PERCENTILE_99, [200, 400]),
    ],
)
async def test_percentiles_are_read_from_each_period_s_distribution(
    store: MetricStore, aligner: int, expected: list[float]
) -> None:
    answer = await ask(
        store, REQUEST_LATENCIES, 'metric.labels.response_code_class="2xx"', aggregation=every(20, aligner)
    )
    (series,) = answer.time_series
    assert (series.metric_kind, series.value_type, series.unit) == (GAUGE, DOUBLE, "ms")
    assert values(series) == pytest.approx(expected, rel=0.05)


async def test_interpolation_reads_the_line_between_two_samples(store: MetricStore) -> None:
    answer = await ask(
        store,
        INSTANCE_COUNT,
        'metric.labels.state="active"',
        aggregation=every(10, ALIGN.ALIGN_INTERPOLATE),
        interval={"start_time": {"seconds": 0}, "end_time": {"seconds": 45}},
    )
    # Ends at 15, 25, 35 s lie between 1 and 2, 2 and 4, 4 and 5; at 5 and 45 s there is no line.
    assert values(answer.time_series[0]) == [2, 3, 4]


async def test_no_change_from_zero_is_zero_and_any_other_is_infinite() -> None:
    for later, expected in ((0, 0.0), (3, math.inf)):
        store = MetricStore(0)
        store.gauge(INSTANCE_COUNT, revision(), 0, ACTIVE, 20 * S)
        store.gauge(INSTANCE_COUNT, revision(), later, ACTIVE, 40 * S)
        answer = await ask(store, INSTANCE_COUNT, aggregation=every(20, ALIGN.ALIGN_PERCENT_CHANGE))
        assert values(answer.time_series[0]) == [expected]


def test_the_tables_name_every_aligner_and_reducer_of_the_api() -> None:
    assert set(ALIGNERS) == set(ALIGN) - {ALIGN.ALIGN_NONE}
    assert set(REDUCERS) == set(REDUCE) - {REDUCE.REDUCE_NONE}


@pytest.mark.parametrize(
    ("reducer", "kind", "value_type", "expected"),
    [
        # Aligned by delta: good 8 and 16, bad 1 and 2.
        (REDUCE.REDUCE_MEAN, GAUGE, DOUBLE, [4.5, 9.0]),
        (REDUCE.REDUCE_MIN, DELTA, INT64, [1, 2]),
        (REDUCE.REDUCE_MAX, DELTA, INT64, [8, 16]),
        (REDUCE.REDUCE_SUM, DELTA, INT64, [9, 18]),
        (REDUCE.REDUCE_STDDEV, GAUGE, DOUBLE, [3.5, 7.0]),
        (REDUCE.REDUCE_COUNT, GAUGE, INT64, [2, 2]),
        (REDUCE.REDUCE_PERCENTILE_99, GAUGE, DOUBLE, [7.93, 15.86]),
        (REDUCE.REDUCE_PERCENTILE_95, GAUGE, DOUBLE, [7.65, 15.3]),
        (REDUCE.REDUCE_PERCENTILE_50, GAUGE, DOUBLE, [4.5, 9.0]),
        (REDUCE.REDUCE_PERCENTILE_05, GAUGE, DOUBLE, [1.35, 2.7]),
    ],
)
async def test_a_reducer_makes_one_series_of_several(
    store: MetricStore, reducer: int, kind: int, value_type: int, expected: list[float]
) -> None:
    answer = await ask(store, REQUEST_COUNT, aggregation=every(20, ALIGN.ALIGN_DELTA, reducer))
    (series,) = answer.time_series
    assert (series.metric_kind, series.value_type) == (kind, value_type)
    assert values(series) == pytest.approx(expected)
    assert not series.metric.labels


@pytest.mark.parametrize(
    ("reducer", "expected"),
    [
        # 3 of 100, 5 of 200 and two of 1000; then 8 of 300, 8 of 400 and two of 1000.
        (REDUCE.REDUCE_MEAN, [330.0, 7600 / 18]),
        (REDUCE.REDUCE_STDDEV, [math.sqrt(223_000 - 330**2), math.sqrt(4000000 / 18 - (7600 / 18) ** 2)]),
        (REDUCE.REDUCE_COUNT, [2, 2]),
        (REDUCE.REDUCE_PERCENTILE_50, [200, 400]),
        (REDUCE.REDUCE_PERCENTILE_99, [1000, 1000]),
    ],
)
async def test_a_reducer_merges_distributions_first(
    store: MetricStore, reducer: int, expected: list[float]
) -> None:
    answer = await ask(store, REQUEST_LATENCIES, aggregation=every(20, ALIGN.ALIGN_DELTA, reducer))
    exact = reducer not in (REDUCE.REDUCE_PERCENTILE_50, REDUCE.REDUCE_PERCENTILE_99)
    assert values(answer.time_series[0]) == pytest.approx(expected, rel=1e-6 if exact else 0.05)


async def test_groups_keep_their_labels_and_lose_the_others(store: MetricStore) -> None:
    store.add(REQUEST_COUNT, revision("two"), 7, GOOD)
    store.close_window(40 * S)
    aggregation = every(40, ALIGN.ALIGN_DELTA, REDUCE.REDUCE_SUM, 'resource.label."revision_name"')
    found = {
        series.resource.labels["revision_name"]: (values(series), dict(series.metric.labels))
        for series in (await ask(store, REQUEST_COUNT, aggregation=aggregation)).time_series
    }
    assert found == {"one": ([27], {}), "two": ([7], {})}


async def test_a_second_aggregation_works_on_what_the_first_gave(store: MetricStore) -> None:
    first = every(20, ALIGN.ALIGN_DELTA, REDUCE.REDUCE_SUM)
    answer = await ask(
        store, REQUEST_COUNT, aggregation=first, secondary_aggregation=every(40, ALIGN.ALIGN_MEAN)
    )
    assert values(answer.time_series[0]) == [(9 + 18) / 2]
    assert answer.time_series[0].value_type == DOUBLE


async def test_without_an_aligner_the_period_is_ignored(store: MetricStore) -> None:
    answer = await ask(store, REQUEST_COUNT, aggregation=every(0, ALIGN.ALIGN_NONE))
    assert sum(len(series.points) for series in answer.time_series) == 6
