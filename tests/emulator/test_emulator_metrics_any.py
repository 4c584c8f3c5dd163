"""Whatever comes in and however it is cut into periods, aligning and reducing lose no value."""

from collections.abc import Sequence
from typing import Any

import pytest
from google.cloud import monitoring_v3
from hypothesis import given, settings
from hypothesis import strategies as st
from monitoring_questions import BAD, GOOD, S, ask, every, revision

from runbook_lib.emulator.metric_store import MetricStore
from runbook_lib.emulator.metric_types import REQUEST_COUNT, REQUEST_LATENCIES, MetricType

ALIGN = monitoring_v3.Aggregation.Aligner
REDUCE = monitoring_v3.Aggregation.Reducer


@settings(deadline=None, max_examples=60)
@given(
    samples=st.lists(st.lists(st.floats(0.1, 1e6), max_size=6), min_size=1, max_size=25),
    period_s=st.integers(1, 40),
    end_s=st.integers(25, 60),
)
async def test_aligning_and_reducing_lose_no_value(
    samples: Sequence[Sequence[float]], period_s: int, end_s: int
) -> None:
    store = MetricStore(0)
    for at_s, latencies in enumerate(samples, start=1):
        for number, latency_ms in enumerate(latencies):
            labels = (GOOD, BAD)[number % 2]
            store.add(REQUEST_COUNT, revision(), 1, labels)
            store.observe(REQUEST_LATENCIES, revision(), latency_ms, labels)
        store.close_window(at_s * S)
    aggregation = every(period_s, ALIGN.ALIGN_DELTA, REDUCE.REDUCE_SUM)

    async def points(metric: MetricType) -> list[Any]:
        interval = {"start_time": {"seconds": 0}, "end_time": {"seconds": end_s}}
        answer = await ask(store, metric, period_s=1, interval=interval, aggregation=aggregation)
        return [point.value for series in answer.time_series for point in series.points]

    everything = [latency_ms for latencies in samples for latency_ms in latencies]
    assert sum(value.int64_value for value in await points(REQUEST_COUNT)) == len(everything)
    merged = [value.distribution_value for value in await points(REQUEST_LATENCIES)]
    assert sum(sum(one.bucket_counts) for one in merged) == len(everything)
    assert sum(one.count * one.mean for one in merged) == pytest.approx(sum(everything))
