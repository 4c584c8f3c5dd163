"""What instances and requests use: concurrency, billable time, CPU and bytes, measured on real processes."""

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime

import httpx
import local
import pytest
import websockets
from emulator_cloud import PROJECT, Cloud
from google.api import metric_pb2
from google.cloud import monitoring_v3
from google.cloud.monitoring_v3.query import Query
from patience import eventually

from runbook_lib.emulator.container import Container, Probe
from runbook_lib.emulator.metric_store import MetricStore
from runbook_lib.emulator.metric_types import (
    BILLABLE_INSTANCE_TIME,
    CPU_ALLOCATION_TIME,
    MAX_REQUEST_CONCURRENCIES,
    MEMORY_ALLOCATION_TIME,
    MetricType,
)
from runbook_lib.emulator.metric_usage import CpuMeter, Place, UsageMeter, instance_started
from runbook_lib.emulator.names import RevisionId
from runbook_lib.emulator.process_groups import members

pytestmark = pytest.mark.conformance("https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run")
KIND = metric_pb2.MetricDescriptor.MetricKind
VALUE = metric_pb2.MetricDescriptor.ValueType
REVISION = RevisionId(project="p", location="l", service="s", revision="s-1")
CONTAINER = Container(
    command=("serve",),
    cwd=None,
    env={},
    port=8080,
    startup=Probe(
        name="STARTUP TCP",
        http_path=None,
        http_headers={},
        initial_delay_s=0,
        timeout_s=1,
        period_s=1,
        failure_threshold=1,
    ),
    liveness=None,
    memory_limit_bytes=512 * 1024**2,
    cpu_limit=2.0,
    request_timeout_s=60,
    concurrency=80,
)
PLACE = Place(revision=REVISION, container=CONTAINER, instance_id="a")


def newest(store: MetricStore, metric: MetricType) -> float:
    """Return the last point of a metric that has one series."""
    (series,) = store.series(metric.name)
    value = series.points[-1].value
    assert isinstance(value, float)
    return value


def test_a_spell_of_requests_is_billed_once_and_rounded_up_to_100_ms() -> None:
    now_s = 0.0
    store = MetricStore(0)
    usage = UsageMeter(store, lambda: now_s)
    with usage.busy(PLACE):
        now_s = 0.5
        with usage.busy(PLACE):
            now_s = 1.0
        now_s = 1.23
    usage.sample([PLACE])
    store.close_window(1)
    # Two requests at once cost as much as one, and 1.23 s as much as 1.3 s; two CPUs, half a GiB.
    assert newest(store, BILLABLE_INSTANCE_TIME) == pytest.approx(1.3)
    assert newest(store, CPU_ALLOCATION_TIME) == pytest.approx(2.6)
    assert newest(store, MEMORY_ALLOCATION_TIME) == pytest.approx(0.65)

    usage.sample([PLACE])
    store.close_window(2)
    assert newest(store, BILLABLE_INSTANCE_TIME) == 0


def test_a_request_that_goes_on_is_billed_sample_by_sample_and_rounded_at_its_end() -> None:
    now_s = 0.0
    store = MetricStore(0)
    usage = UsageMeter(store, lambda: now_s)
    billed = []
    with usage.busy(PLACE):
        now_s = 0.97
        usage.sample([PLACE])
        store.close_window(1)
        billed.append(newest(store, BILLABLE_INSTANCE_TIME))
        now_s = 1.05
    usage.sample([])
    store.close_window(2)
    billed.append(newest(store, BILLABLE_INSTANCE_TIME))
    assert billed == pytest.approx([0.97, 0.13])


def test_a_start_is_billable() -> None:
    store = MetricStore(0)
    instance_started(store, REVISION, CONTAINER, 0.42)
    store.close_window(1)
    assert newest(store, BILLABLE_INSTANCE_TIME) == pytest.approx(0.5)


def test_the_most_requests_at_once_are_kept_from_sample_to_sample() -> None:
    store = MetricStore(0)
    usage = UsageMeter(store)
    with usage.busy(PLACE), usage.busy(PLACE):
        with usage.busy(PLACE):
            pass
        usage.sample([PLACE])
    for _ in range(2):
        usage.sample([PLACE])
    store.close_window(1)
    found = {
        series.id.metric_labels: series.points[0].value
        for series in store.series(MAX_REQUEST_CONCURRENCIES.name)
    }
    active, idle = found[(("state", "active"),)], found[(("state", "idle"),)]
    assert (active.count, active.mean) == (2, 2.5)  # 3, then the 2 that were still there
    assert (idle.count, idle.mean) == (1, 0)


WORKING = """
import sys, time
for _ in sys.stdin:
    began_s = time.process_time()
    while time.process_time() < began_s + 0.2:
        pass
    print(flush=True)
"""


def test_cpu_is_what_the_process_group_used_since_the_last_call() -> None:
    command, pipe = [sys.executable, "-c", WORKING], subprocess.PIPE
    # In a group of its own: the test's own group holds all other tests that run now.
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        meter, group = CpuMeter(), worker.pid

        def busy_cpus() -> float:
            return meter.ratios([group], members([group]))[group]

        def work() -> None:
            print("work", file=worker.stdin, flush=True)
            worker.stdout.readline()

        work()  # it has started, too
        busy_cpus()
        work()
        assert busy_cpus() > 0.02
        time.sleep(0.5)
        assert busy_cpus() < 0.05  # it waits, whatever the machine does; 0.02 is one tick


def test_concurrency_is_seen_through_the_router(cloud: Cloud) -> None:
    made = cloud.deploy("crowded")

    async def crowd() -> None:
        async with httpx.AsyncClient(timeout=20) as client:
            await asyncio.gather(*(client.get(f"{made.uri}/sleep/0.5") for _ in range(6)))

    asyncio.run(crowd())
    assert eventually(lambda: _most(cloud, "crowded"), lambda found: found == 6) == 6
    start = cloud.series("container/startup_latencies", "crowded")[0].points[0].value.distribution_value.mean
    # Six half seconds at once cost one half second.
    busy_s = eventually(lambda: _billed_s(cloud, "crowded") - start / 1000, lambda found: found >= 0.5)
    assert busy_s < 2.5
    (billed,) = cloud.series("container/billable_instance_time", "crowded")
    assert (billed.value_type, billed.unit) == (VALUE.Value("DOUBLE"), "s")


def _billed_s(cloud: Cloud, service: str) -> float:
    series = cloud.series("container/billable_instance_time", service)
    return sum(point.value.double_value for one in series for point in one.points)


def _most(cloud: Cloud, service: str) -> float:
    series = cloud.series("container/max_request_concurrencies", service)
    means = [
        point.value.distribution_value.mean
        for one in series
        if one.metric.labels["state"] == "active"
        for point in one.points
    ]
    return max(means, default=0)


def test_bytes_are_counted_both_ways_for_http_and_websockets(cloud: Cloud) -> None:
    made = cloud.deploy("bytes")
    local.post(f"{made.uri}/upload", content=b"x" * 10_000)
    eventually(lambda: _bytes(cloud, "received"), lambda count: count == 10_000)
    sent = _bytes(cloud, "sent")
    assert sent == len('{"bytes": 10000}')

    async def talk() -> None:
        async with websockets.connect(made.uri.replace("http", "ws") + "/ws", compression=None) as client:
            await client.recv()
            await client.send(b"y" * 5_000)
            await client.recv()

    asyncio.run(talk())
    received = eventually(lambda: _bytes(cloud, "received"), lambda count: count > 10_000)
    # A frame has up to 14 bytes of its own, and the closing one is 8 long.
    assert 15_000 < received < 15_100
    assert 5_000 < _bytes(cloud, "sent") - sent < 5_400
    (series,) = cloud.series("container/network/sent_bytes_count", "bytes")
    assert (series.metric.labels["kind"], series.unit) == ("internet", "By")


def _bytes(cloud: Cloud, direction: str) -> int:
    series = cloud.series(f"container/network/{direction}_bytes_count", "bytes")
    return sum(point.value.int64_value for one in series for point in one.points)


def test_cpu_utilisation_is_a_share_of_the_limit(cloud: Cloud) -> None:
    cloud.deploy("calm")
    series = eventually(lambda: cloud.series("container/cpu/utilizations", "calm"))
    (one,) = series
    assert (one.metric_kind, one.value_type, one.unit) == (
        KIND.Value("DELTA"),
        VALUE.Value("DISTRIBUTION"),
        "10^2.%",
    )
    values = [point.value.distribution_value for point in one.points]
    assert all(value.count == 1 and 0 <= value.mean < 64 for value in values)


def test_query_as_dataframe_of_the_client_reads_them(cloud: Cloud) -> None:
    cloud.deploy("framed")
    eventually(lambda: _newest_count(cloud, "framed"), lambda count: count == 1)
    # Unless told, a query ends with the last full minute, when this service was not there yet.
    now = datetime.now(UTC)
    metric = "run.googleapis.com/container/instance_count"
    query = Query(cloud.metrics, PROJECT, metric, end_time=now, minutes=5)
    query = query.select_resources(service_name="framed").align(
        monitoring_v3.Aggregation.Aligner.ALIGN_MAX, minutes=5
    )
    frame = query.as_dataframe(labels=["service_name", "state"])
    assert frame.columns.tolist() == [("framed", "active"), ("framed", "idle")]
    assert frame[("framed", "idle")].tolist() == [1]


def _newest_count(cloud: Cloud, service: str) -> int:
    series = cloud.series("container/instance_count", service)
    return sum(one.points[0].value.int64_value for one in series)
