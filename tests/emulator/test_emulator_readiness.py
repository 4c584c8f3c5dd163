"""Revisions that become ready, late or never, over the real client."""

import api_pages as pages
import local
import pytest
from emulator_cloud import PARENT, PINNED, Cloud, short
from google.api_core import exceptions
from google.cloud import run_v2


@pytest.mark.conformance(pages.SERVICE)
def test_a_revision_that_never_becomes_ready_leaves_the_old_one_serving(cloud: Cloud) -> None:
    made = cloud.deploy("breaks")
    good = made.latest_ready_revision
    made.template.containers[0].image = "exits"
    with pytest.raises(exceptions.FailedPrecondition) as failed:
        cloud.update(made)

    message = str(failed.value)
    assert (
        "is not ready and cannot serve traffic. The user-provided container failed to start and listen"
        in message
    )
    assert "PORT=8080" in message
    now = cloud.services.get_service(name=made.name)
    assert now.latest_ready_revision == good != now.latest_created_revision
    assert now.terminal_condition.state == run_v2.Condition.State.CONDITION_FAILED
    assert now.terminal_condition.message in message
    assert not now.reconciling
    assert local.get(now.uri).json()["revision"] == short(good)
    revision = cloud.revisions.get_revision(name=now.latest_created_revision)
    ready = next(c for c in revision.conditions if c.type_ == "Ready")
    assert ready.state == run_v2.Condition.State.CONDITION_FAILED
    assert ready.message.startswith("The user-provided container failed to start")


@pytest.mark.conformance(pages.TROUBLESHOOTING)
def test_an_image_that_nobody_built_fails_the_operation(cloud: Cloud) -> None:
    with pytest.raises(exceptions.NotFound, match=r"Image 'nowhere:1' not found\."):
        cloud.deploy("no-image", image="nowhere:1")
    broken = cloud.services.get_service(name=f"{PARENT}/services/no-image")
    assert broken.terminal_condition.state == run_v2.Condition.State.CONDITION_FAILED
    assert broken.latest_ready_revision == ""
    assert local.get(broken.uri).status_code == 404


def test_a_command_that_does_not_exist_fails_the_operation(cloud: Cloud) -> None:
    with pytest.raises(exceptions.FailedPrecondition):
        cloud.deploy("no-command", image="absent-command")
    assert cloud.entries('resource.labels.service_name="no-command" "could not be started"')


@pytest.mark.conformance(pages.HEALTH)
@pytest.mark.parametrize("probe", [{"tcp_socket": {"port": 8080}}, {"http_get": {"path": "/status/200"}}])
def test_a_container_that_does_not_listen_runs_out_of_probes(cloud: Cloud, probe: dict[str, object]) -> None:
    service_id = f"deaf-{next(iter(probe)).split('_')[0]}"
    once = {"timeout_seconds": 1, "period_seconds": 1, "failure_threshold": 1}
    with pytest.raises(exceptions.FailedPrecondition):
        cloud.deploy(service_id, image="deaf", startup_probe={**probe, **once})
    log = cloud.entries(
        f'resource.labels.service_name="{service_id}" severity=ERROR '
        'log_id("run.googleapis.com/varlog/system")'
    )
    assert "probe failed 1 time consecutively" in log[0].text_payload


@pytest.mark.conformance(pages.HEALTH)
def test_an_http_probe_waits_for_a_good_status(cloud: Cloud) -> None:
    once = {"timeout_seconds": 2, "period_seconds": 2, "failure_threshold": 1}
    cloud.deploy(
        "http-probe", startup_probe={"http_get": {"path": "/status/204"}, **once, "timeout_seconds": 2}
    )
    with pytest.raises(exceptions.FailedPrecondition):
        cloud.deploy("http-probe-503", startup_probe={"http_get": {"path": "/status/503"}, **once})


@pytest.mark.conformance(pages.ROLLOUTS)
@pytest.mark.refusal
def test_traffic_to_a_missing_or_failed_revision_fails_and_changes_nothing(cloud: Cloud) -> None:
    made = cloud.deploy("lost")
    made.traffic = [run_v2.TrafficTarget(type_=PINNED, revision="lost-nowhere", percent=100)]
    with pytest.raises(exceptions.FailedPrecondition, match="'lost-nowhere' does not exist"):
        cloud.update(made)
    now = cloud.services.get_service(name=made.name)
    assert now.traffic_statuses == made.traffic_statuses
    assert local.get(now.uri).status_code == 200
