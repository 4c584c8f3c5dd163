"""Read the time series of one Cloud Run service."""

from __future__ import annotations

import math
from typing import Any

import grpc
import pandas as pd
from google.cloud.monitoring_v3 import MetricServiceClient
from google.cloud.monitoring_v3.services.metric_service.transports import MetricServiceGrpcTransport
from google.cloud.monitoring_v3.types import ListTimeSeriesRequest, TimeInterval, TimeSeries

from runbook_lib.evidence import Window
from runbook_lib.gcp.channels import CALL_TIMEOUT_S, ask
from runbook_lib.plan import Target
from runbook_lib.ports import MetricType

_COLUMNS = {
    "time": "datetime64[ns, UTC]",
    "revision": "object",
    "value": "float64",
    "count": "float64",
    "label": "object",
}


class CloudMonitoring:
    """Implements `ports.Monitoring` with raw, unaligned points.

    Source: google.monitoring.v3.MetricService.ListTimeSeries,
    https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run
    """

    def __init__(self, target: Target, channel: grpc.Channel | None = None) -> None:
        self._target = target
        transport = MetricServiceGrpcTransport(channel=channel) if channel else None
        self._client = MetricServiceClient(transport=transport)

    def read(self, metric: MetricType, window: Window) -> pd.DataFrame:
        """Return one row per point, oldest first; columns as in `ports.Monitoring.read`."""
        found = ask("timeSeries.list", metric, lambda: self._series(metric, window))
        rows = [row for series in found for row in _rows(series)]
        table = pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)
        return table.sort_values("time", ignore_index=True)

    def _series(self, metric: MetricType, window: Window) -> list[Any]:
        request = ListTimeSeriesRequest(
            name=f"projects/{self._target.project}",
            filter=(
                f'metric.type="run.googleapis.com/{metric}"'
                ' AND resource.type="cloud_run_revision"'
                f' AND resource.labels.service_name="{self._target.service}"'
                f' AND resource.labels.location="{self._target.region}"'
            ),
            interval=TimeInterval(start_time=window.start, end_time=window.end),
            view=ListTimeSeriesRequest.TimeSeriesView.FULL,
        )
        pages = self._client.list_time_series(request, timeout=CALL_TIMEOUT_S, retry=None)
        return [TimeSeries.pb(series) for series in pages]


def _rows(series: Any) -> list[dict[str, Any]]:
    revision = series.resource.labels["revision_name"]
    label = series.metric.labels["response_code_class"]
    return [
        {
            "time": pd.Timestamp(point.interval.end_time.ToNanoseconds(), tz="UTC"),
            "revision": revision,
            "label": label,
            **_value(point.value),
        }
        for point in series.points
    ]


def _value(value: Any) -> dict[str, float]:
    kind = value.WhichOneof("value")
    if kind == "distribution_value":
        count = value.distribution_value.count  # the mean of none is sent as 0
        return {"value": value.distribution_value.mean if count else math.nan, "count": count}
    return {"value": getattr(value, kind), "count": 1}
