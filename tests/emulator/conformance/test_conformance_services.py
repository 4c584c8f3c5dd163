"""Services are made, shown, changed and deleted as their pages say."""

import api_pages as pages
import httpx
import local
import pytest
from emulator_cloud import LATEST, PINNED, POLLING, Cloud, service, short
from google.api_core import exceptions
from google.cloud import run_v2
from rows import creating


@pytest.mark.conformance(pages.SERVICE)
def test_a_new_service_is_ready_and_serves_its_first_revision(cloud: Cloud) -> None:
    made = cloud.deploy("first", env={"GREETING": "hello"})

    assert made.name == f"{cloud.parent}/services/first"
    assert made.generation == made.observed_generation == 1
    assert made.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED
    assert not made.reconciling
    assert made.latest_created_revision == made.latest_ready_revision
    assert short(made.latest_ready_revision).startswith("first-00001-")
    assert [(t.percent, t.revision) for t in made.traffic_statuses] == [
        (100, short(made.latest_ready_revision))
    ]
    answer = local.get(made.uri).json()
    assert (answer["greeting"], answer["service"]) == ("hello", "first")
    assert answer["revision"] == short(made.latest_ready_revision)


@pytest.mark.conformance(pages.OPERATIONS)
def test_the_operation_of_a_creation_carries_the_service_as_metadata(cloud: Cloud) -> None:
    operation = cloud.services.create_service(parent=cloud.parent, service_id="metadata", service=service())

    assert operation.metadata.name == f"{cloud.parent}/services/metadata"
    assert operation.metadata.reconciling
    assert operation.result(polling=POLLING).name == operation.metadata.name


@pytest.mark.conformance(pages.CONTAINER)
def test_defaults_are_written_into_the_service(cloud: Cloud) -> None:
    template = cloud.deploy("defaults").template

    assert template.timeout.total_seconds() == 300
    assert template.max_instance_request_concurrency == 80
    assert template.containers[0].ports[0].container_port == 8080
    assert dict(template.containers[0].resources.limits) == {"cpu": "1000m", "memory": "512Mi"}
    assert template.containers[0].startup_probe.tcp_socket.port == 8080


@pytest.mark.conformance(pages.ROLLOUTS)
def test_a_tagged_revision_without_traffic_is_reached_by_its_tag_only(cloud: Cloud) -> None:
    made = cloud.deploy("tagged", env={"GREETING": "old"})
    old = short(made.latest_ready_revision)
    made.template = service(env={"GREETING": "new"}, revision="tagged-candidate").template
    made.traffic = [
        run_v2.TrafficTarget(type_=PINNED, revision=old, percent=100),
        run_v2.TrafficTarget(type_=PINNED, revision="tagged-candidate", tag="candidate"),
    ]
    updated = cloud.update(made)

    statuses = {status.tag: status for status in updated.traffic_statuses}
    assert statuses["candidate"].uri not in ("", updated.uri)
    assert local.get(statuses["candidate"].uri).json()["greeting"] == "new"
    assert {local.get(updated.uri).json()["greeting"] for _ in range(20)} == {"old"}
    assert updated.generation == 2


@pytest.mark.conformance(pages.TRAFFIC_STATUS)
def test_a_tag_keeps_its_uri_when_it_moves_and_closes_when_it_goes(cloud: Cloud) -> None:
    made = cloud.deploy("moving-tag", traffic=[run_v2.TrafficTarget(type_=LATEST, percent=100, tag="live")])
    uri = made.traffic_statuses[0].uri
    first = local.get(uri).json()["revision"]
    made.template.revision = "moving-tag-second"
    made.template.containers[0].env.append(run_v2.EnvVar(name="GREETING", value="2"))
    made = cloud.update(made)

    assert made.traffic_statuses[0].uri == uri
    assert local.get(uri).json()["revision"] == "moving-tag-second" != first
    made.traffic = [run_v2.TrafficTarget(type_=LATEST, percent=100)]
    cloud.update(made)
    with pytest.raises(httpx.ConnectError):
        local.get(uri)


@pytest.mark.conformance(pages.TRAFFIC)
def test_latest_follows_the_newest_ready_revision_and_a_pin_does_not(cloud: Cloud) -> None:
    made = cloud.deploy("follows")
    first = short(made.latest_ready_revision)
    made.template.containers[0].env.append(run_v2.EnvVar(name="GREETING", value="second"))
    made = cloud.update(made)
    assert local.get(made.uri).json()["greeting"] == "second"

    made.traffic = [run_v2.TrafficTarget(type_=PINNED, revision=first, percent=100)]
    made.template.containers[0].env[0].value = "third"
    made = cloud.update(made)
    assert local.get(made.uri).json()["revision"] == first
    assert short(made.latest_ready_revision).startswith("follows-00003-")


@pytest.mark.conformance(pages.REVISION)
def test_an_update_that_leaves_the_template_alone_makes_no_revision(cloud: Cloud) -> None:
    made = cloud.deploy("unchanged")
    made.labels["team"] = "a"
    updated = cloud.update(made)

    assert updated.latest_created_revision == made.latest_created_revision
    assert updated.labels["team"] == "a"
    assert len(list(cloud.revisions.list_revisions(parent=made.name))) == 1


@pytest.mark.conformance(pages.UPDATE)
def test_a_mask_limits_what_an_update_changes(cloud: Cloud) -> None:
    made = cloud.deploy("masked", env={"GREETING": "kept"})
    bare = run_v2.Service(name=made.name, labels={"team": "b"}, description="ignored")
    updated = cloud.update(bare, update_mask={"paths": ["labels"]})

    assert dict(updated.labels) == {"team": "b"}
    assert updated.description == ""
    assert updated.latest_created_revision == made.latest_created_revision


@pytest.mark.conformance(pages.UPDATE)
def test_allow_missing_creates_the_service(cloud: Cloud) -> None:
    upserted = run_v2.Service(name=f"{cloud.parent}/services/upserted", template=service().template)
    made = cloud.update(upserted, allow_missing=True)
    assert local.get(made.uri).status_code == 200


@pytest.mark.conformance(pages.CREATE)
def test_validate_only_changes_nothing(cloud: Cloud) -> None:
    request = {"parent": cloud.parent, "service_id": "dry", "service": service(), "validate_only": True}
    checked = cloud.services.create_service(request=request).result(polling=POLLING)
    assert checked.template.containers[0].ports[0].container_port == 8080
    with pytest.raises(exceptions.NotFound):
        cloud.services.get_service(name=f"{cloud.parent}/services/dry")

    made = cloud.deploy("dry-update")
    etag = made.etag
    made.labels["x"] = "y"
    assert cloud.update(made, validate_only=True).labels["x"] == "y"
    assert cloud.services.get_service(name=made.name).etag == etag
    made.traffic = [run_v2.TrafficTarget(type_=LATEST, percent=1)]
    with pytest.raises(exceptions.InvalidArgument):
        cloud.update(made, validate_only=True)


@pytest.mark.conformance(pages.LIST)
def test_services_and_revisions_come_in_pages(cloud: Cloud) -> None:
    parent = "projects/paging/locations/europe-west1"
    for index in range(3):
        request = {"parent": parent, "service_id": f"page-{index}", "service": service()}
        cloud.services.create_service(request=request).result(polling=POLLING)

    listed = list(cloud.services.list_services(request={"parent": parent, "page_size": 2}).pages)
    assert [[short(s.name) for s in page.services] for page in listed] == [["page-0", "page-1"], ["page-2"]]
    found = list(cloud.revisions.list_revisions(request={"parent": f"{parent}/services/-", "page_size": 1}))
    assert [revision.service for revision in found] == ["page-0", "page-1", "page-2"]


@pytest.mark.conformance(pages.DELETE)
def test_a_deleted_service_is_gone_with_its_port(cloud: Cloud) -> None:
    made = cloud.deploy("deleted")
    gone = cloud.services.delete_service(name=made.name).result(polling=POLLING)
    assert gone.delete_time
    with pytest.raises(exceptions.NotFound):
        cloud.services.get_service(name=made.name)
    with pytest.raises(httpx.ConnectError):
        local.get(made.uri)


SECRET = {"name": "KEY", "value_source": {"secret_key_ref": {"secret": "s", "version": "1"}}}


@pytest.mark.parametrize(
    ("container", "named"),
    [
        ({"env": [SECRET]}, r"A secret as environment variable \(KEY\)"),
        ({"startup_probe": {"grpc": {}}}, "A gRPC .*probe"),
        ({"ports": [{"name": "h2c", "container_port": 8080}]}, "HTTP/2 to the container"),
        ({"resources": {"limits": {"nvidia.com/gpu": "1"}}}, "A GPU"),
    ],
)
def test_what_is_not_emulated_is_refused_by_name(cloud: Cloud, container: dict, named: str) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match=f"{named}.* is not emulated"):
        creating(container=container)(cloud)


def test_a_second_container_is_not_emulated(cloud: Cloud) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match="sidecar"):
        creating(template={"containers": [{"image": "echo"}] * 2})(cloud)
