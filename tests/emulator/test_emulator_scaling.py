"""Instances come and go as Cloud Run's do: by places, a queue, minimum, maximum and idle time."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import local
import pytest
import websockets
from emulator_cloud import ECHO, LATEST, PINNED, Cloud, connect, named_field, run_command, write_catalogue
from google.api_core import exceptions
from google.cloud import run_v2
from patience import eventually

from runbook_lib.emulator.scaling import Bounds, bounds, divide

AUTOSCALING = "https://cloud.google.com/run/docs/about-instance-autoscaling"
CONCURRENCY = "https://cloud.google.com/run/docs/about-concurrency"
MIN_INSTANCES = "https://cloud.google.com/run/docs/configuring/min-instances"
WARNING = 400
MAX_INSTANCES = "https://cloud.google.com/run/docs/configuring/max-instances"


@pytest.fixture(scope="module")
def brisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An emulator whose idle instances end after a second."""
    folder = tmp_path_factory.mktemp("brisk")
    options = ["--state-dir", str(folder / "state")]
    catalogue = ["--catalogue", str(write_catalogue(folder))]
    times = ["--idle-instance", "1", "--sample-period", "0.2"]
    started = run_command("up", *options, "--json", *times, *catalogue)
    assert started.returncode == 0, started.stderr
    yield connect(json.loads(started.stdout))
    assert run_command("down", *options).returncode == 0


async def served_by(service: run_v2.Service, stack: AsyncExitStack) -> int:
    """Open a WebSocket that stays; return the process that answers it."""
    client = await stack.enter_async_context(
        websockets.connect(service.uri.replace("http", "ws") + "/ws", open_timeout=30)
    )
    return int(json.loads(await client.recv())["pid"])


def metric_of(cloud: Cloud, service_id: str, state: str) -> int:
    """Return the newest number of instances in a state, over all revisions."""
    found = cloud.series("container/instance_count", service_id)
    newest = [each.points[0] for each in found if each.metric.labels["state"] == state]
    return sum(point.value.int64_value for point in newest)


@pytest.mark.conformance(CONCURRENCY)
async def test_a_full_instance_is_joined_by_another_and_both_end_when_idle(brisk: Cloud) -> None:
    made = await asyncio.to_thread(brisk.deploy, "wide", max_instance_request_concurrency=2)
    async with AsyncExitStack() as stack:
        pids = Counter([await served_by(made, stack) for _ in range(3)])
        assert sorted(pids.values()) == [1, 2]
        await asyncio.to_thread(
            eventually, lambda: metric_of(brisk, "wide", "active"), lambda seen: seen == 2
        )
        # A WebSocket counts for its whole life: twice the idle time later, both still take requests.
        await asyncio.sleep(2)
        assert await served_by(made, stack) in pids
    await asyncio.to_thread(eventually, lambda: brisk.pids("wide"), lambda left: left == [])
    await asyncio.to_thread(eventually, lambda: metric_of(brisk, "wide", "idle") == 0)
    again = local.get(made.uri, timeout=20).json()
    assert again["pid"] not in pids


@pytest.mark.conformance(CONCURRENCY)
async def test_requests_are_spread_evenly_over_instances(cloud: Cloud) -> None:
    made = await asyncio.to_thread(
        cloud.deploy, "even", max_instance_request_concurrency=2, scaling={"min_instance_count": 2}
    )
    await asyncio.to_thread(eventually, lambda: cloud.pids("even"), lambda pids: len(pids) == 2)
    async with AsyncExitStack() as stack:
        assert len({await served_by(made, stack) for _ in range(2)}) == 2


async def test_requests_that_arrive_together_share_one_start(brisk: Cloud) -> None:
    made = await asyncio.to_thread(brisk.deploy, "together")
    await asyncio.to_thread(eventually, lambda: brisk.pids("together"), lambda pids: pids == [])
    async with httpx.AsyncClient(timeout=30) as client:
        answers = await asyncio.gather(*(client.get(made.uri) for _ in range(20)))
    assert len({answer.json()["pid"] for answer in answers}) == 1
    started = 'resource.labels.service_name="together" "Starting new instance."'
    starts = ["at the deployment", "for all of these"]
    await asyncio.to_thread(eventually, lambda: brisk.entries(started), lambda seen: len(seen) == len(starts))


async def test_as_many_start_as_those_who_wait_need_up_to_the_maximum(brisk: Cloud) -> None:
    made = await asyncio.to_thread(
        brisk.deploy, "burst", max_instance_request_concurrency=1, scaling={"max_instance_count": 3}
    )
    async with httpx.AsyncClient(timeout=30) as client:
        answers = await asyncio.gather(*(client.get(f"{made.uri}/sleep/0.6") for _ in range(9)))
        assert {answer.status_code for answer in answers} == {200}
        assert len(brisk.pids("burst")) == 3


@pytest.mark.conformance(AUTOSCALING)
async def test_a_request_waits_for_a_place_and_is_turned_away_after_ten_seconds(cloud: Cloud) -> None:
    made = await asyncio.to_thread(
        cloud.deploy, "narrow", max_instance_request_concurrency=1, scaling={"max_instance_count": 1}
    )
    async with httpx.AsyncClient(timeout=60) as client:
        async with AsyncExitStack() as stack:
            await served_by(made, stack)
            waiting = asyncio.create_task(client.get(made.uri))
            assert not (await asyncio.wait([waiting], timeout=0.3))[0]
        assert (await waiting).status_code == 200
        async with AsyncExitStack() as stack:
            await served_by(made, stack)
            began = asyncio.get_running_loop().time()
            refused = await client.get(made.uri)
            waited_s = asyncio.get_running_loop().time() - began
    assert (refused.status_code, refused.text) == (429, "Rate exceeded.")
    assert waited_s >= 10
    (entry,) = await asyncio.to_thread(
        eventually, lambda: cloud.entries('resource.labels.service_name="narrow" httpRequest.status=429')
    )
    assert entry.severity == WARNING
    assert entry.text_payload.startswith("The request was aborted because there was no available instance.")
    assert local.get(made.uri).status_code == 200


@pytest.mark.conformance(MIN_INSTANCES)
def test_a_revisions_minimum_stays_warm_while_it_is_reached(brisk: Cloud) -> None:
    made = brisk.deploy("warm", revision="warm-a", scaling={"min_instance_count": 2})
    pids = eventually(lambda: brisk.pids("warm"), lambda seen: len(seen) == 2)
    made.template.revision, made.template.scaling.min_instance_count = "warm-b", 0
    made.traffic = [
        run_v2.TrafficTarget(type_=PINNED, revision="warm-b", percent=100),
        run_v2.TrafficTarget(type_=PINNED, revision="warm-a", tag="old"),
    ]
    made = brisk.update(made)
    # The new revision has no minimum and idles away; the old one, reached by its tag alone, stays.
    eventually(lambda: sorted(brisk.pids("warm")), lambda seen: seen == sorted(pids))
    made.traffic = [run_v2.TrafficTarget(type_=LATEST, percent=100)]
    brisk.update(made)
    eventually(lambda: brisk.pids("warm"), lambda seen: seen == [])


@pytest.mark.conformance(MIN_INSTANCES)
def test_a_services_minimum_takes_effect_without_a_revision(brisk: Cloud) -> None:
    made = brisk.deploy("base")
    made.scaling.min_instance_count = 2
    updated = brisk.update(made)
    assert updated.latest_created_revision == made.latest_created_revision
    eventually(lambda: brisk.pids("base"), lambda pids: len(pids) == 2)
    updated.scaling.min_instance_count = 1
    brisk.update(updated)
    eventually(lambda: brisk.pids("base"), lambda pids: len(pids) == 1)


def test_a_minimum_is_restored_after_a_crash(brisk: Cloud) -> None:
    made = brisk.deploy("restored", scaling={"min_instance_count": 1})
    (pid,) = eventually(lambda: brisk.pids("restored"))
    assert local.get(f"{made.uri}/crash").status_code == 503
    eventually(lambda: brisk.pids("restored"), lambda pids: pids and pid not in pids)


def test_a_revision_that_lost_its_traffic_is_ended_and_starts_again_on_demand(brisk: Cloud) -> None:
    made = brisk.deploy("rests", revision="rests-a")
    pid = local.get(made.uri).json()["pid"]
    made.template.revision = "rests-b"
    made = brisk.update(made)
    eventually(lambda: pid not in brisk.pids("rests"))

    made.traffic = [run_v2.TrafficTarget(type_=PINNED, revision="rests-a", percent=100)]
    made = brisk.update(made)
    again = local.get(made.uri, timeout=20).json()
    assert again["revision"] == "rests-a"
    assert again["pid"] != pid


def test_a_candidate_without_traffic_or_tag_is_still_warm_when_its_tag_comes(cloud: Cloud) -> None:
    made = cloud.deploy("linger", revision="linger-a")
    old = cloud.pids("linger")
    made.template.revision = "linger-b"
    made.traffic = [run_v2.TrafficTarget(type_=PINNED, revision="linger-a", percent=100)]
    made = cloud.update(made)
    (candidate,) = set(cloud.pids("linger")) - set(old)
    made.traffic.append(run_v2.TrafficTarget(type_=PINNED, revision="linger-b", tag="candidate"))
    uri = next(status.uri for status in cloud.update(made).traffic_statuses if status.tag)
    assert local.get(uri).json()["pid"] == candidate


@pytest.mark.conformance("https://cloud.google.com/run/docs/container-contract#response")
def test_the_time_limit_of_a_request_includes_the_start_of_its_instance(cloud: Cloud, tmp_path: Path) -> None:
    flag = tmp_path / "slow"
    script = f"test -e {flag} && sleep 20; exec $0 $1"
    command = {"command": ["/bin/sh", "-c", script], "args": [sys.executable, str(ECHO)]}
    made = cloud.deploy("slow-start", timeout={"seconds": 1}, **command)
    flag.touch()
    assert local.get(f"{made.uri}/crash").status_code == 503
    assert local.get(made.uri, timeout=20).status_code == 504


@pytest.mark.conformance(MIN_INSTANCES)
@pytest.mark.parametrize(
    ("total", "percents", "expected"),
    [
        (0, {"a": 100}, {"a": 0}),
        (10, {"a": 90, "b": 10}, {"a": 9, "b": 1}),
        (1, {"a": 50, "b": 50}, {"a": 1, "b": 0}),
        (3, {"a": 34, "b": 33, "c": 33}, {"a": 1, "b": 1, "c": 1}),
        (5, {"a": 90, "b": 10, "tag": 0}, {"a": 5, "b": 0, "tag": 0}),
        (5, {}, {}),
    ],
)
def test_a_services_number_is_divided_by_traffic(
    total: int, percents: dict[str, int], expected: dict[str, int]
) -> None:
    assert divide(total, percents) == expected


@pytest.mark.parametrize(
    ("name", "own", "of_service", "expected"),
    [
        ("a", (0, 100), (0, 0), Bounds(reached=True, at_least=0, at_most=100)),
        ("a", (2, 100), (10, 0), Bounds(reached=True, at_least=9, at_most=100)),
        ("b", (2, 100), (10, 0), Bounds(reached=True, at_least=2, at_most=100)),
        ("b", (0, 100), (0, 4), Bounds(reached=True, at_least=0, at_most=1)),
        ("a", (0, 3), (10, 0), Bounds(reached=True, at_least=3, at_most=3)),
        ("tagged", (1, 100), (10, 4), Bounds(reached=True, at_least=1, at_most=100)),
        ("named", (1, 100), (10, 0), Bounds(reached=False, at_least=1, at_most=100)),
        ("other", (1, 100), (10, 0), Bounds(reached=False, at_least=0, at_most=100)),
    ],
)
def test_limits_follow_traffic_and_tags(
    name: str, own: tuple[int, int], of_service: tuple[int, int], expected: Bounds
) -> None:
    def scaling(counts: tuple[int, int]) -> dict[str, Any]:
        return {"scaling": {"min_instance_count": counts[0], "max_instance_count": counts[1]}}

    statuses = [("a", 90, ""), ("b", 10, ""), ("tagged", 0, "candidate"), ("named", 0, "")]
    service = run_v2.Service(
        traffic_statuses=[{"revision": name, "percent": share, "tag": tag} for name, share, tag in statuses],
        **scaling(of_service),
    )
    revision = run_v2.Revision(**scaling(own))
    assert bounds(run_v2.Service.pb(service), run_v2.Revision.pb(revision), name) == expected


@pytest.mark.refusal
@pytest.mark.conformance(MAX_INSTANCES)
@pytest.mark.parametrize(
    ("scaling", "field"),
    [
        ({"min_instance_count": 3, "max_instance_count": 2}, "service.template.scaling.min_instance_count"),
        ({"min_instance_count": -1}, "service.template.scaling"),
    ],
)
def test_contradicting_numbers_of_instances_are_refused(
    cloud: Cloud, scaling: dict[str, int], field: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument) as refused:
        cloud.deploy("contradiction", scaling=scaling)
    assert named_field(refused.value) == field


@pytest.mark.refusal
@pytest.mark.conformance("https://cloud.google.com/run/docs/configuring/services/manual-scaling")
def test_manual_scaling_is_refused_as_not_emulated(cloud: Cloud) -> None:
    made = cloud.deploy("by-hand")
    made.scaling.manual_instance_count = 2
    with pytest.raises(exceptions.MethodNotImplemented, match="Manual scaling"):
        cloud.update(made)
