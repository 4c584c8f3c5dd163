"""Questions to the Monitoring API's own method, without a wire: points and clock are the test's."""

from typing import Any

from google.cloud.monitoring_v3 import types

from runbook_lib.emulator.metric_store import MetricStore
from runbook_lib.emulator.metric_types import MetricType
from runbook_lib.emulator.monitoring_api import MonitoringApi, Sampling
from runbook_lib.emulator.names import RevisionId

S = 1_000_000_000
GOOD, BAD = {"response_code_class": "2xx"}, {"response_code_class": "5xx"}


def revision(name: str = "one") -> RevisionId:
    """Return a revision of the service."""
    return RevisionId(project="p", location="l", service="s", revision=name)


async def ask(
    store: MetricStore, metric: MetricType, conditions: str = "", period_s: int = 10, **request: Any
) -> Any:
    """Ask for the first 40 s through the API's own method, a minute after the start."""
    api = MonitoringApi(store, Sampling(period_s=period_s, lag_s=0), now_ns=lambda: 60 * S)
    message = types.ListTimeSeriesRequest.pb(
        types.ListTimeSeriesRequest(
            {
                "name": "projects/p",
                "filter": f'metric.type="{metric.name}" {conditions}',
                "interval": {"start_time": {"seconds": 0}, "end_time": {"seconds": 40}},
                **request,
            }
        )
    )
    return await api.list_time_series(message)


def every(seconds: int, aligner: int, reducer: int = 0, *fields: str) -> dict[str, Any]:
    """Build an aggregation."""
    return {
        "alignment_period": {"seconds": seconds},
        "per_series_aligner": aligner,
        "cross_series_reducer": reducer,
        "group_by_fields": fields,
    }
