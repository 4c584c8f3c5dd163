"""The Cloud Monitoring adapter against the emulator."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import local
import pandas as pd
import pytest
from cloud import Staging
from google.cloud.monitoring_v3.types import TimeSeries
from patience import eventually

from runbook_lib.evidence import Window
from runbook_lib.gcp.cloud_monitoring import _rows
from runbook_lib.ports import MetricType

DTYPES = {
    "time": "datetime64[ns, UTC]", "revision": "object", "value": "float64", "count": "float64",
    "label": "object",
}  # fmt: skip


def last_minute() -> Window:
    """Return a window that ends now."""
    now = datetime.now(UTC)
    return Window(start=now - timedelta(minutes=1), end=now)


def visited(staging: Staging, answered: int, refused: int) -> str:
    """Return a revision that was asked that often, once this was counted."""
    revision = staging.create()
    url = staging.cloud.run.service().url
    for path in ["/health"] * answered + ["/nothing-here"] * refused:
        local.get(url + path)
    eventually(lambda: read(staging, "request_count")["value"].sum() == answered + refused)
    return revision


def read(staging: Staging, metric: MetricType) -> pd.DataFrame:
    """Read a metric's last minute."""
    return staging.cloud.monitoring.read(metric, last_minute())


@pytest.mark.parametrize(
    "metric",
    ["request_count", "request_latencies", "container/memory/utilizations", "container/startup_latencies"],
)
def test_an_empty_result_has_all_columns_with_their_types(staging: Staging, metric: MetricType) -> None:
    table = read(staging, metric)

    assert table.empty
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == DTYPES


def test_requests_are_counted_by_the_class_of_their_answer(staging: Staging) -> None:
    revision = visited(staging, answered=4, refused=2)
    table = read(staging, "request_count")

    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == DTYPES
    assert table.groupby("label")["value"].sum().to_dict() == {"2xx": 4, "4xx": 2}
    assert set(table["revision"]) == {revision}
    assert set(table["count"]) == {1}
    assert table["time"].is_monotonic_increasing


def test_a_distribution_gives_its_mean_and_its_number_of_samples(staging: Staging) -> None:
    visited(staging, answered=5, refused=0)

    latencies = read(staging, "request_latencies")
    assert latencies["count"].sum() == 5
    assert latencies["value"].between(0.01, 10_000).all()  # ms
    startup = read(staging, "container/startup_latencies")
    assert list(startup["count"]) == [1]
    state = staging.cloud.run.revisions()[0]
    assert state.settled is not None
    took_ms = (state.settled - state.created).total_seconds() * 1000
    assert startup["value"][0] == pytest.approx(took_ms, rel=0.3, abs=50)


def test_memory_is_a_share_of_the_limit_and_comes_oldest_first(staging: Staging) -> None:
    visited(staging, answered=1, refused=0)
    table = eventually(lambda: read(staging, "container/memory/utilizations"), lambda table: len(table) >= 4)

    assert table["time"].is_monotonic_increasing
    assert table["value"].between(0.01, 0.9).all()


def test_points_outside_of_the_window_are_not_read(staging: Staging) -> None:
    visited(staging, answered=1, refused=0)
    now = datetime.now(UTC)
    long_ago = Window(start=now - timedelta(hours=2), end=now - timedelta(hours=1))

    assert staging.cloud.monitoring.read("request_count", long_ago).empty


def test_a_distribution_without_samples_has_no_mean() -> None:
    series = TimeSeries(points=[{"value": {"distribution_value": {"count": 0, "mean": 0.0}}}])
    (row,) = _rows(TimeSeries.pb(series))

    assert math.isnan(row["value"])
    assert row["count"] == 0
