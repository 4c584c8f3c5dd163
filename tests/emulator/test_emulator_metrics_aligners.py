"""The real client asks for each aligner and reducer on each kind of metric: what it gets, what is refused."""

from typing import Any

import local
import pytest
from emulator_cloud import Cloud, named_field
from google.api import metric_pb2
from google.api_core import exceptions
from google.cloud import monitoring_v3, run_v2
from monitoring_questions import every
from patience import eventually

PAGE = "https://cloud.google.com/monitoring/api/ref_v3/rest/v3/Aggregation"
ALIGN = monitoring_v3.Aggregation.Aligner
REDUCE = monitoring_v3.Aggregation.Reducer
KIND = metric_pb2.MetricDescriptor.MetricKind.Name
TYPE = metric_pb2.MetricDescriptor.ValueType.Name
COUNT, INSTANCES, LATENCIES = "request_count", "container/instance_count", "request_latencies"
_INT_GAUGE = dict.fromkeys(("MIN", "MAX", "COUNT", "SUM"), "GAUGE INT64")
_DOUBLE_GAUGE = dict.fromkeys(("MEAN", "STDDEV", "PERCENT_CHANGE"), "GAUGE DOUBLE")
_NUMBERS = _INT_GAUGE | _DOUBLE_GAUGE
_PERCENTILES = dict.fromkeys((f"PERCENTILE_{each}" for each in ("05", "50", "95", "99")), "GAUGE DOUBLE")
ACCEPTED = {
    COUNT: {"DELTA": "DELTA INT64", "RATE": "GAUGE DOUBLE", **_NUMBERS},
    INSTANCES: {"INTERPOLATE": "GAUGE INT64", "NEXT_OLDER": "GAUGE INT64", **_NUMBERS},
    LATENCIES: {"DELTA": "DELTA DISTRIBUTION", "SUM": "GAUGE DISTRIBUTION", **_PERCENTILES},
}
ALIGNERS = [each for each in ALIGN if each != ALIGN.ALIGN_NONE]
ALLOWED = [(metric, name, gives) for metric, table in ACCEPTED.items() for name, gives in table.items()]
REFUSED = [
    (metric, aligner)
    for metric, table in ACCEPTED.items()
    for aligner in ALIGNERS
    if aligner.name.removeprefix("ALIGN_") not in table
]


@pytest.fixture(scope="module")
def asked(cloud: Cloud) -> run_v2.Service:
    """A service whose requests lie in more than one sample."""
    made = cloud.deploy("aligned")
    for samples in (1, 2):
        local.get(made.uri, timeout=20)
        eventually(lambda: _points(cloud, COUNT), lambda count, due=samples: count >= due)
    eventually(lambda: _points(cloud, INSTANCES), lambda count: count >= 12)
    return made


def _points(cloud: Cloud, metric: str) -> int:
    return sum(len(series.points) for series in cloud.series(metric, "aligned"))


@pytest.mark.conformance(PAGE + "#Aligner")
@pytest.mark.parametrize(("metric", "name", "gives"), ALLOWED)
def test_an_aligner_gives_kind_and_value_type(
    cloud: Cloud, asked: run_v2.Service, metric: str, name: str, gives: str
) -> None:
    found = cloud.series(metric, "aligned", aggregation=every(1, ALIGN[f"ALIGN_{name}"]))
    # Nothing came before the first requests, so that there may be no change to speak of.
    assert found or name == "PERCENT_CHANGE"
    assert {f"{KIND(one.metric_kind)} {TYPE(one.value_type)}" for one in found} <= {gives}


@pytest.mark.refusal
@pytest.mark.conformance(PAGE + "#Aligner")
@pytest.mark.parametrize(("metric", "aligner"), REFUSED)
def test_an_aligner_refuses_what_the_reference_does_not_allow(
    cloud: Cloud, metric: str, aligner: int
) -> None:
    with pytest.raises(exceptions.InvalidArgument) as refused:
        cloud.series(metric, "any", aggregation=every(20, aligner))
    assert named_field(refused.value) == "aggregation.per_series_aligner"


@pytest.mark.conformance(PAGE + "#Reducer")
@pytest.mark.parametrize(
    ("metric", "reducer", "gives"),
    [
        *((COUNT, name, "DELTA INT64") for name in ("MIN", "MAX", "SUM")),
        *((metric, name, "GAUGE DOUBLE") for metric in (COUNT, LATENCIES) for name in ("MEAN", "STDDEV")),
        *((metric, name, "GAUGE DOUBLE") for metric in (COUNT, LATENCIES) for name in _PERCENTILES),
        *((metric, "COUNT", "GAUGE INT64") for metric in (COUNT, LATENCIES)),
        (LATENCIES, "SUM", "DELTA DISTRIBUTION"),
    ],
)
def test_a_reducer_gives_kind_and_value_type(
    cloud: Cloud, asked: run_v2.Service, metric: str, reducer: str, gives: str
) -> None:
    aggregation = every(60, ALIGN.ALIGN_DELTA, REDUCE[f"REDUCE_{reducer}"])
    (one,) = cloud.series(metric, "aligned", aggregation=aggregation)
    assert f"{KIND(one.metric_kind)} {TYPE(one.value_type)}" == gives


SOUND = every(20, ALIGN.ALIGN_DELTA)


@pytest.mark.refusal
@pytest.mark.conformance(PAGE)
@pytest.mark.parametrize(
    ("metric", "request_", "field"),
    [
        ("request_count", {"aggregation": every(-1, ALIGN.ALIGN_DELTA)}, "aggregation.alignment_period"),
        ("request_count", {"aggregation": every(0, ALIGN.ALIGN_DELTA)}, "aggregation.alignment_period"),
        (
            "request_count",
            {"aggregation": every(62_899_201, ALIGN.ALIGN_DELTA)},
            "aggregation.alignment_period",
        ),
        ("request_count", {"aggregation": every(20, 99)}, "aggregation.per_series_aligner"),
        ("request_count", {"aggregation": every(20, 0, REDUCE.REDUCE_SUM)}, "aggregation.per_series_aligner"),
        (
            "request_count",
            {"aggregation": every(20, ALIGN.ALIGN_DELTA, 99)},
            "aggregation.cross_series_reducer",
        ),
        *(
            (
                metric,
                {"aggregation": every(20, ALIGN.ALIGN_DELTA, reducer)},
                "aggregation.cross_series_reducer",
            )
            for metric, reducers in (
                ("request_count", ("COUNT_TRUE", "COUNT_FALSE", "FRACTION_TRUE")),
                ("request_latencies", ("MIN", "MAX", "COUNT_TRUE", "COUNT_FALSE", "FRACTION_TRUE")),
            )
            for reducer in (REDUCE[f"REDUCE_{name}"] for name in reducers)
        ),
        (
            "request_count",
            {"aggregation": every(20, ALIGN.ALIGN_DELTA, REDUCE.REDUCE_SUM, "color")},
            "aggregation.group_by_fields",
        ),
        ("request_count", {"secondary_aggregation": SOUND}, "secondary_aggregation"),
        (
            "request_count",
            {"aggregation": SOUND, "secondary_aggregation": every(20, ALIGN.ALIGN_INTERPOLATE)},
            "secondary_aggregation.per_series_aligner",
        ),
        (
            "request_count",
            {"aggregation": SOUND, "secondary_aggregation": every(0, ALIGN.ALIGN_DELTA)},
            "secondary_aggregation.alignment_period",
        ),
    ],
)
def test_an_aggregation_that_does_not_fit_is_refused(
    cloud: Cloud, metric: str, request_: dict[str, Any], field: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument) as refused:
        cloud.series(metric, "any", **request_)
    assert named_field(refused.value) == field
