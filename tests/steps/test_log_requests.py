"""A request log is summed up with what is uncertain about it."""

from __future__ import annotations

import pandas as pd
import pytest

from runbook_lib.steps.log_requests import statistics, wilson


def requests(*statuses: int | None, log: str = "requests") -> pd.DataFrame:
    """Return entries of the candidate with these statuses; latencies are 1 s, 2 s, 3 s …."""
    seen = range(1, len(statuses) + 1)
    table = pd.DataFrame({"status": pd.array(statuses, "Int64"), "latency_s": [float(s) for s in seen]})
    return table.assign(role="candidate", log=log)


def test_status_classes_and_the_share_of_errors_have_their_interval() -> None:
    found = statistics(requests(200, 204, 404, 500), "candidate")

    assert (found.requests, found.classes) == (4, {"2xx": 2, "4xx": 1, "5xx": 1})
    assert found.error_ratio == 0.25
    assert found.interval == pytest.approx((0.0456, 0.6994), abs=1e-4)
    assert found.latency_s["p50"] == 2.5
    assert found.latency_s["max"] == 4


def test_a_websocket_session_is_a_request_but_its_length_no_latency() -> None:
    found = statistics(requests(200, 101, 101), "candidate")
    assert (found.requests, found.latency_s["max"]) == (3, 1)


def test_no_request_is_no_ratio() -> None:
    for nothing in (requests(), requests(None), requests(200, log="stdout")):
        found = statistics(nothing, "candidate")
        assert (found.requests, found.error_ratio, found.interval, found.latency_s) == (0, None, None, {})
    assert statistics(requests(200), "baseline").requests == 0


@pytest.mark.parametrize(
    ("hits", "tries", "interval"), [(0, 10, (0, 0.2775)), (10, 10, (0.7225, 1)), (5, 100, (0.0215, 0.1118))]
)
def test_wilsons_interval_agrees_with_published_values(
    hits: int, tries: int, interval: tuple[float, float]
) -> None:
    assert wilson(hits, tries) == pytest.approx(interval, abs=1e-4)
