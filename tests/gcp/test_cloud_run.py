"""The Cloud Run adapter against the emulator, over Google's own client and wire."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import local
import pytest
from cloud import HEALTHY, Staging, emulator_command, start_emulator
from google.api_core.exceptions import Aborted
from google.cloud import run_v2
from patience import eventually

from runbook_lib.errors import CloudError, CloudUnavailable, Conflict, NotFound, RevisionNotReady
from runbook_lib.evidence import TrafficShare, Window
from runbook_lib.gcp import Cloud
from runbook_lib.gcp.channels import act
from runbook_lib.plan import Endpoints, Target
from runbook_lib.ports.logs import LogQuery

CRASH_TEXT = "The user-provided container failed to start and listen on the port"
REFUSED_HINT = "check the network and the endpoint, then run the step again"


def closed_port() -> str:
    """Return the address of a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


def cloud_at(address: str) -> Cloud:
    """Return adapters for a service behind an address."""
    endpoints = Endpoints(run=address, logging=address, monitoring=address)
    return Cloud(Target(project="p", region="r", service="x", endpoints=endpoints), endpoints)


def test_a_created_service_is_described_as_it_is(staging: Staging) -> None:
    service = staging.cloud.run.create(HEALTHY, 60)

    assert (service.name, service.generation, service.reconciling) == (staging.service, 1, False)
    assert service.latest_created == service.latest_ready
    assert service.latest_ready.startswith(f"{staging.service}-00001-")
    assert service.traffic == (TrafficShare(revision=service.latest_ready, percent=100),)
    assert service.message == ""
    assert local.get(f"{service.url}/health").json()["revision"] == service.latest_ready


def test_a_ready_revision_is_described_with_its_times_and_its_memory_limit(staging: Staging) -> None:
    before = datetime.now(UTC)
    revision = staging.cloud.run.revision(staging.create())
    after = datetime.now(UTC)

    assert (revision.image, revision.ready, revision.message) == (HEALTHY, True, "")
    assert revision.memory_limit_mib == 512
    assert revision.settled is not None
    assert before <= revision.created < revision.settled <= after
    assert type(revision.created) is datetime
    assert revision.created.utcoffset() == timedelta(0)


@pytest.mark.parametrize(("limit", "mib"), [("1G", 1e9 / 2**20), ("268435456", 256)])
def test_a_memory_limit_is_told_in_mib_whatever_its_unit(staging: Staging, limit: str, mib: float) -> None:
    container = run_v2.Container(image=HEALTHY, resources={"limits": {"memory": limit}})
    staging.client.create_service(
        parent=staging.name.partition("/services/")[0], service_id=staging.service,
        service=run_v2.Service(template={"containers": [container]}),
    ).result(timeout=60)  # fmt: skip

    assert staging.cloud.run.revisions()[0].memory_limit_mib == pytest.approx(mib)


def test_the_same_image_twice_makes_two_more_revisions_and_the_newest_comes_first(staging: Staging) -> None:
    first = staging.create()
    run = staging.cloud.run
    second, third = run.deploy(HEALTHY, {}, 60), run.deploy(HEALTHY, {}, 60)

    assert [revision.name for revision in run.revisions()] == [third, second, first]
    assert run.service().latest_ready == third


def test_a_deployment_lays_its_environment_over_the_old_one(staging: Staging) -> None:
    staging.create()
    staging.cloud.run.deploy(HEALTHY, {"KEPT": "1", "CHANGED": "old"}, 60)
    staging.cloud.run.deploy(HEALTHY, {"CHANGED": "new"}, 60)

    service = staging.client.get_service(name=staging.name)
    found = {variable.name: variable.value for variable in service.template.containers[0].env}
    assert found == {"KEPT": "1", "CHANGED": "new"}


def test_a_container_that_crashes_is_a_revision_not_ready_with_its_conditions_message(
    staging: Staging,
) -> None:
    first = staging.create()
    with pytest.raises(RevisionNotReady, match=CRASH_TEXT) as raised:
        staging.cloud.run.deploy("sample-agent:crash-loop", {}, 60)

    made = staging.cloud.run.revision(raised.value.revision)
    assert made.name.startswith(f"{staging.service}-00002-")
    assert (made.ready, made.image) == (False, "sample-agent:crash-loop")
    assert made.settled is not None
    assert CRASH_TEXT in made.message
    assert made.message in raised.value.condition
    service = staging.cloud.run.service()
    assert (service.latest_created, service.latest_ready) == (made.name, first)
    assert CRASH_TEXT in service.message


def test_an_image_that_nobody_has_built_is_a_revision_not_ready(staging: Staging) -> None:
    staging.create()
    with pytest.raises(RevisionNotReady) as raised:
        staging.cloud.run.deploy("no-such:image", {}, 60)

    name = raised.value.revision
    condition = f"Revision '{name}' is not ready and cannot serve traffic. Image 'no-such:image' not found."
    assert str(raised.value) == f"{name} was not ready after {raised.value.waited_s:.0f} s: {condition}"


def test_a_start_that_outlasts_the_limit_is_a_revision_not_ready_and_no_hang(staging: Staging) -> None:
    staging.create()
    start_s = time.monotonic()
    with pytest.raises(RevisionNotReady) as raised:
        staging.cloud.run.deploy("sample-agent:slow-start", {"SLOW_START_S": "60"}, 0.5)

    assert time.monotonic() - start_s < 10
    assert raised.value.condition == "still starting at the time limit"
    assert raised.value.waited_s >= 0.4
    made = staging.cloud.run.revision(raised.value.revision)
    assert (made.name, made.ready, made.settled) == (staging.cloud.run.service().latest_created, None, None)


def test_a_creation_that_outlasts_the_limit_is_a_cloud_that_gives_no_answer(staging: Staging) -> None:
    with pytest.raises(CloudUnavailable) as raised:
        staging.cloud.run.create("sample-agent:slow-start", 0.3)

    expected = f"services.create on {staging.service} answered no answer in time: {REFUSED_HINT}"
    assert str(raised.value) == expected


def test_a_cloud_that_dies_during_a_deployment_is_unavailable_within_seconds(tmp_path: Path) -> None:
    endpoints = start_emulator(tmp_path)
    staging = Staging(endpoints=endpoints, service="dies", folder=tmp_path)
    staging.create()
    seen: list[BaseException] = []

    def deploy() -> None:
        try:
            staging.cloud.run.deploy("sample-agent:slow-start", {"SLOW_START_S": "60"}, 300)
        except CloudError as error:
            seen.append(error)

    deployment = threading.Thread(target=deploy, daemon=True)
    deployment.start()
    eventually(lambda: staging.cloud.run.service().reconciling)
    emulator_command("down", tmp_path)
    deployment.join(60)

    assert [type(error) for error in seen] == [CloudUnavailable], seen
    assert REFUSED_HINT in str(seen[0])


def test_traffic_is_set_with_tags_that_have_urls_of_their_own(staging: Staging) -> None:
    first = staging.create()
    second = staging.cloud.run.deploy(HEALTHY, {}, 60)
    shares = (
        TrafficShare(revision=first, percent=70, tag="old", url="ignored"),
        TrafficShare(revision=second, percent=30),
        TrafficShare(revision=second, percent=0, tag="new"),
    )
    service = staging.cloud.run.set_traffic(shares)

    assert [(each.revision, each.percent, each.tag) for each in service.traffic] == [
        (first, 70, "old"), (second, 30, ""), (second, 0, "new"),
    ]  # fmt: skip
    assert local.get(f"{service.tag_url('new')}/health").json()["revision"] == second
    assert local.get(f"{service.tag_url('old')}/health").json()["revision"] == first
    assert service.generation == 3


@pytest.mark.parametrize(
    ("share", "answer"),
    [
        (
            TrafficShare(revision="gone", percent=100),
            "FAILED_PRECONDITION (Revision 'gone' does not exist or is deleted."
            " Update all traffic to route to currently available revisions.)",
        ),
        (
            TrafficShare(revision="gone", percent=90),
            "INVALID_ARGUMENT (service.traffic: percentages must sum to 100, these sum to 90)",
        ),
    ],
)
def test_a_traffic_table_that_the_api_refuses_is_told_in_its_own_words(
    staging: Staging, share: TrafficShare, answer: str
) -> None:
    first = staging.create()
    with pytest.raises(CloudError) as raised:
        staging.cloud.run.set_traffic([share])

    assert str(raised.value) == f"services.update on {staging.service} answered {answer}: see the message"
    assert staging.cloud.run.service().serving() == first


def test_a_change_in_between_is_refused_as_aborted(staging: Staging) -> None:
    staging.create()
    stale = staging.client.get_service(name=staging.name)
    staging.cloud.run.deploy(HEALTHY, {}, 60)
    with pytest.raises(CloudError) as raised:
        act("services.update", staging.service, lambda: staging.client.update_service(service=stale))

    assert type(raised.value) is Conflict
    assert isinstance(raised.value.__cause__, Aborted)
    answer = f"ABORTED ({staging.name}: the etag {stale.etag} is stale"
    assert str(raised.value).startswith(f"services.update on {staging.service} answered {answer}")


def test_what_does_not_exist_is_not_found(staging: Staging) -> None:
    with pytest.raises(NotFound) as raised:
        staging.cloud.run.service()
    answer = f"NOT_FOUND (Resource '{staging.name}' was not found.)"
    hint = "check project, region and service in the plan"
    assert str(raised.value) == f"services.get on {staging.service} answered {answer}: {hint}"

    staging.create()
    with pytest.raises(NotFound, match=r"revisions\.get on nobody answered NOT_FOUND"):
        staging.cloud.run.revision("nobody")


@pytest.mark.parametrize("call", ["service", "create", "entries", "series"])
def test_a_dead_port_is_unavailable_within_seconds(call: str) -> None:
    address, now = closed_port(), datetime.now(UTC)
    cloud = cloud_at(address)
    window = Window(start=now, end=now + timedelta(seconds=1))
    calls = {
        "service": ("services.get on x", cloud.run.service),
        "create": ("services.create on x", lambda: cloud.run.create("i", 60)),
        "entries": (
            "entries.list on x",
            lambda: cloud.logging.read(LogQuery(revision="x", start=window.start, end=window.end)),
        ),
        "series": (
            "timeSeries.list on request_count",
            lambda: cloud.monitoring.read("request_count", window),
        ),
    }
    what, ask = calls[call]
    start_s = time.monotonic()
    with pytest.raises(CloudUnavailable) as raised:
        ask()

    assert time.monotonic() - start_s < 15
    assert str(raised.value) == (
        f"{what} answered UNAVAILABLE (failed to connect to all addresses; last error: UNKNOWN: "
        f"ipv4:{address}: Failed to connect to remote host: Connection refused): {REFUSED_HINT}"
    )
