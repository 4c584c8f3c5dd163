"""Instances that fall ill, use too much memory or crash are ended and said to be, as on Cloud Run."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import local
import pytest
import websockets
from emulator_cloud import Cloud, named_field
from google.api_core import exceptions
from google.cloud import run_v2
from patience import eventually

from runbook_lib.emulator.instance import memory_exceeded

HEALTH_CHECKS = "https://cloud.google.com/run/docs/configuring/healthchecks"
PROBE = "https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2#probe"
MEMORY_LIMITS = "https://cloud.google.com/run/docs/configuring/services/memory-limits"
TROUBLESHOOTING = "https://cloud.google.com/run/docs/troubleshooting#malformed-response-or-connection-error"
ERROR = 500
MIB = 1024 * 1024
LIVE = {"http_get": {"path": "/health"}, "period_seconds": 1, "timeout_seconds": 1, "failure_threshold": 2}


def system_log(cloud: Cloud, service_id: str) -> list[str]:
    """Return what the platform itself says about a service as errors."""
    filter_ = f'resource.labels.service_name="{service_id}" log_id("run.googleapis.com/varlog/system")'
    return [entry.text_payload for entry in cloud.entries(f"{filter_} severity=ERROR")]


def answer_to(service: run_v2.Service, path: str) -> "asyncio.Future[Any]":
    """Ask in a thread of its own; return the future answer."""
    pool = ThreadPoolExecutor(1)
    return pool.submit(local.get, service.uri + path, timeout=60)  # type: ignore[return-value]


def in_flight(cloud: Cloud, service_id: str) -> None:
    """Wait until a service has a request under way."""
    eventually(
        lambda: [
            series
            for series in cloud.series("container/instance_count", service_id)
            if series.metric.labels["state"] == "active" and series.points[0].value.int64_value
        ]
    )


@pytest.mark.conformance(HEALTH_CHECKS)
def test_an_instance_that_is_not_live_is_shut_down_and_replaced_on_demand(cloud: Cloud) -> None:
    made = cloud.deploy("ill", liveness_probe=LIVE)
    first = local.get(made.uri).json()["pid"]
    under_way = answer_to(made, "/sleep/60")
    in_flight(cloud, "ill")
    assert local.get(f"{made.uri}/fall-ill").text == "ill"

    assert under_way.result().status_code == 503
    assert local.get(made.uri, timeout=20).json()["pid"] != first
    assert eventually(lambda: system_log(cloud, "ill"), lambda texts: len(texts) == 2) == [
        'LIVENESS HTTP probe failed 2 times consecutively for container "ill-1" on port 8080 path "/health". '
        "The instance has been shut down.",
        "Container terminated on signal 9.",
    ]


def test_a_healthy_instance_is_left_alone(cloud: Cloud) -> None:
    made = cloud.deploy("well", liveness_probe={**LIVE, "failure_threshold": 1})
    first = local.get(made.uri).json()["pid"]
    assert local.get(f"{made.uri}/sleep/2.5", timeout=20).status_code == 200
    assert local.get(made.uri).json()["pid"] == first
    assert system_log(cloud, "well") == []


def test_defaults_are_written_into_a_liveness_probe(cloud: Cloud) -> None:
    made = cloud.deploy("live-defaults", liveness_probe={"http_get": {"path": "/health"}})
    probe = made.template.containers[0].liveness_probe
    assert (probe.timeout_seconds, probe.period_seconds, probe.failure_threshold) == (1, 10, 3)


@pytest.mark.refusal
@pytest.mark.conformance(PROBE)
@pytest.mark.parametrize(
    ("probe", "changed", "field"),
    [
        ("liveness", {"http_get": None, "tcp_socket": {"port": 8080}}, ""),
        ("liveness", {"http_get": None}, ""),
        ("liveness", {"period_seconds": 3601}, ".period_seconds"),
        ("liveness", {"initial_delay_seconds": 3601}, ".initial_delay_seconds"),
        ("liveness", {"timeout_seconds": 2}, ".timeout_seconds"),
        ("liveness", {"timeout_seconds": -1}, ".timeout_seconds"),
        ("liveness", {"failure_threshold": -1}, ".failure_threshold"),
        ("startup", {"period_seconds": 241}, ".period_seconds"),
        ("startup", {"initial_delay_seconds": 241}, ".initial_delay_seconds"),
        ("startup", {"period_seconds": 100, "failure_threshold": 3}, ""),
    ],
)
def test_a_wrong_probe_is_refused_with_its_field(
    cloud: Cloud, probe: str, changed: dict[str, Any], field: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument) as refused:
        cloud.deploy("wrong-probe", **{f"{probe}_probe": {**LIVE, **changed}})
    assert named_field(refused.value) == f"service.template.containers[0].{probe}_probe{field}"


@pytest.mark.refusal
@pytest.mark.conformance(HEALTH_CHECKS)
@pytest.mark.parametrize("kind", ["liveness_probe", "startup_probe"])
def test_a_grpc_probe_is_refused_as_not_emulated(cloud: Cloud, kind: str) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match=rf"gRPC probe .*{kind}"):
        cloud.deploy("grpc-probe", **{kind: {"grpc": {"port": 8080}}})


@pytest.mark.conformance(MEMORY_LIMITS)
def test_an_instance_above_its_memory_limit_is_killed_and_both_logs_say_why(cloud: Cloud) -> None:
    made = cloud.deploy("hungry", resources={"limits": {"memory": "160Mi"}})
    first = local.get(made.uri).json()["pid"]
    under_way = answer_to(made, "/sleep/60")
    in_flight(cloud, "hungry")
    local.get(f"{made.uri}/hold/200", timeout=20)

    assert under_way.result().status_code == 503
    assert local.get(made.uri, timeout=20).json()["pid"] != first
    limit, killed = eventually(lambda: system_log(cloud, "hungry"), lambda texts: len(texts) == 2)
    said = re.fullmatch(
        r"Memory limit of 160 MiB exceeded with (\d+) MiB used\. Consider increasing the memory limit, see "
        r"https://cloud\.google\.com/run/docs/configuring/memory-limits",
        limit,
    )
    assert said, limit
    assert int(said[1]) > 160
    assert killed == "Container terminated on signal 9."
    entries = eventually(
        lambda: cloud.entries('resource.labels.service_name="hungry" httpRequest.status=503')
    )
    assert entries[0].severity == ERROR
    assert "the container instance was found to be using too much memory and was terminated" in (
        entries[0].text_payload
    )


@pytest.mark.conformance(MEMORY_LIMITS)
@pytest.mark.parametrize(
    ("limit_bytes", "used_bytes", "said"),
    [
        (160 * MIB, 160 * MIB + 1, "Memory limit of 160 MiB exceeded with 161 MiB used."),
        (160 * MIB, 164 * MIB, "Memory limit of 160 MiB exceeded with 164 MiB used."),
        (160_000_000, 160_000_001, "Memory limit of 152 MiB exceeded with 153 MiB used."),
    ],
)
def test_a_use_just_above_its_limit_does_not_read_as_one_within_it(
    limit_bytes: int, used_bytes: int, said: str
) -> None:
    assert memory_exceeded(limit_bytes, used_bytes).startswith(said)


def test_an_instance_within_its_memory_limit_lives(cloud: Cloud) -> None:
    made = cloud.deploy("modest", resources={"limits": {"memory": "512Mi"}})
    first = local.get(made.uri).json()["pid"]
    local.get(f"{made.uri}/hold/200", timeout=20)
    eventually(
        lambda: max(
            (point.value.distribution_value.mean for series in cloud.series(UTILIZATION, "modest")
             for point in series.points), default=0.0,
        ),
        lambda ratio: ratio > 0.4,
    )  # fmt: skip
    assert local.get(made.uri).json()["pid"] == first


UTILIZATION = "container/memory/utilizations"


@pytest.mark.conformance(TROUBLESHOOTING)
async def test_a_crash_ends_what_is_under_way_and_says_so(cloud: Cloud) -> None:
    made = await asyncio.to_thread(cloud.deploy, "bursts")
    async with (
        httpx.AsyncClient(timeout=30) as client,
        websockets.connect(made.uri.replace("http", "ws") + "/ws") as socket,
    ):
        await socket.recv()
        under_way = asyncio.create_task(client.get(f"{made.uri}/sleep/60"))
        while not (await client.get(f"{made.uri}/counts")).json()["sleeps"]:
            await asyncio.sleep(0.02)
        crashed = await client.get(f"{made.uri}/crash")
        with pytest.raises(websockets.ConnectionClosedError):
            await asyncio.wait_for(socket.recv(), 10)
        assert (crashed.status_code, (await under_way).status_code) == (503, 503)
        assert (await client.get(made.uri)).status_code == 200
    texts = await asyncio.to_thread(
        lambda: [
            entry.text_payload
            for entry in cloud.entries('resource.labels.service_name="bursts" httpRequest.status=503')
        ]
    )
    assert len(texts) == 2
    assert all(text.startswith("The request failed because either the HTTP response") for text in texts)
