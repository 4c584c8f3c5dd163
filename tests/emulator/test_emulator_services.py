"""Cloud Run v2 services and revisions behave, and refuse, as the real API does."""

import httpx
import pytest
from emulator_cloud import LATEST, PARENT, PINNED, POLLING, Cloud, named_field, service, short
from google.api_core import exceptions
from google.cloud import run_v2


def test_a_new_service_is_ready_and_serves_its_first_revision(cloud: Cloud) -> None:
    made = cloud.deploy("first", env={"GREETING": "hello"})

    assert made.name == f"{PARENT}/services/first"
    assert made.generation == made.observed_generation == 1
    assert made.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED
    assert not made.reconciling
    assert made.latest_created_revision == made.latest_ready_revision
    assert short(made.latest_ready_revision).startswith("first-00001-")
    assert [(t.percent, t.revision) for t in made.traffic_statuses] == [
        (100, short(made.latest_ready_revision))
    ]
    answer = httpx.get(made.uri).json()
    assert (answer["greeting"], answer["service"]) == ("hello", "first")
    assert answer["revision"] == short(made.latest_ready_revision)


def test_the_operation_of_a_creation_carries_the_service_as_metadata(cloud: Cloud) -> None:
    operation = cloud.services.create_service(parent=PARENT, service_id="metadata", service=service())

    assert operation.metadata.name == f"{PARENT}/services/metadata"
    assert operation.metadata.reconciling
    assert operation.result(polling=POLLING).name == operation.metadata.name


def test_defaults_are_written_into_the_service(cloud: Cloud) -> None:
    template = cloud.deploy("defaults").template

    assert template.timeout.total_seconds() == 300
    assert template.max_instance_request_concurrency == 80
    assert template.containers[0].ports[0].container_port == 8080
    assert dict(template.containers[0].resources.limits) == {"cpu": "1000m", "memory": "512Mi"}
    assert template.containers[0].startup_probe.tcp_socket.port == 8080


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
    assert httpx.get(statuses["candidate"].uri).json()["greeting"] == "new"
    assert {httpx.get(updated.uri).json()["greeting"] for _ in range(20)} == {"old"}
    assert updated.generation == 2


def test_a_tag_keeps_its_uri_when_it_moves_and_closes_when_it_goes(cloud: Cloud) -> None:
    made = cloud.deploy("moving-tag", traffic=[run_v2.TrafficTarget(type_=LATEST, percent=100, tag="live")])
    uri = made.traffic_statuses[0].uri
    first = httpx.get(uri).json()["revision"]
    made.template.revision = "moving-tag-second"
    made.template.containers[0].env.append(run_v2.EnvVar(name="GREETING", value="2"))
    made = cloud.update(made)

    assert made.traffic_statuses[0].uri == uri
    assert httpx.get(uri).json()["revision"] == "moving-tag-second" != first
    made.traffic = [run_v2.TrafficTarget(type_=LATEST, percent=100)]
    cloud.update(made)
    with pytest.raises(httpx.ConnectError):
        httpx.get(uri)


def test_latest_follows_the_newest_ready_revision_and_a_pin_does_not(cloud: Cloud) -> None:
    made = cloud.deploy("follows")
    first = short(made.latest_ready_revision)
    made.template.containers[0].env.append(run_v2.EnvVar(name="GREETING", value="second"))
    made = cloud.update(made)
    assert httpx.get(made.uri).json()["greeting"] == "second"

    made.traffic = [run_v2.TrafficTarget(type_=PINNED, revision=first, percent=100)]
    made.template.containers[0].env[0].value = "third"
    made = cloud.update(made)
    assert httpx.get(made.uri).json()["revision"] == first
    assert short(made.latest_ready_revision).startswith("follows-00003-")


def test_an_update_that_leaves_the_template_alone_makes_no_revision(cloud: Cloud) -> None:
    made = cloud.deploy("unchanged")
    made.labels["team"] = "a"
    updated = cloud.update(made)

    assert updated.latest_created_revision == made.latest_created_revision
    assert updated.labels["team"] == "a"
    assert len(list(cloud.revisions.list_revisions(parent=made.name))) == 1


def test_a_mask_limits_what_an_update_changes(cloud: Cloud) -> None:
    made = cloud.deploy("masked", env={"GREETING": "kept"})
    bare = run_v2.Service(name=made.name, labels={"team": "b"}, description="ignored")
    updated = cloud.update(bare, update_mask={"paths": ["labels"]})

    assert dict(updated.labels) == {"team": "b"}
    assert updated.description == ""
    assert updated.latest_created_revision == made.latest_created_revision


def test_a_mask_with_an_unknown_field_is_refused(cloud: Cloud) -> None:
    made = cloud.deploy("bad-mask")
    with pytest.raises(
        exceptions.InvalidArgument, match="update_mask: services have no field 'tempalte'"
    ) as refused:
        cloud.update(made, update_mask={"paths": ["tempalte"]})
    assert named_field(refused.value) == "update_mask"


def test_a_stale_etag_is_aborted(cloud: Cloud) -> None:
    made = cloud.deploy("etag")
    made.labels["n"] = "1"
    cloud.update(made)
    made.labels["n"] = "2"
    with pytest.raises(exceptions.Aborted, match="stale"):
        cloud.update(made)
    with pytest.raises(exceptions.Aborted, match="stale"):
        cloud.services.delete_service(request={"name": made.name, "etag": made.etag})


@pytest.mark.parametrize(
    ("traffic", "field"),
    [
        ([(LATEST, "", 99)], "service.traffic"),
        ([(LATEST, "", 50), (LATEST, "", 51)], "service.traffic"),
        ([(PINNED, "", 100)], "service.traffic[0].revision"),
        ([(LATEST, "some-revision", 100)], "service.traffic[0].revision"),
        ([(0, "", 100)], "service.traffic[0].type"),
        ([(LATEST, "", 100), (PINNED, "some-revision", -1)], "service.traffic[1].percent"),
    ],
)
def test_wrong_traffic_is_refused_with_its_field(
    cloud: Cloud, traffic: list[tuple[int, str, int]], field: str
) -> None:
    targets = [
        run_v2.TrafficTarget(type_=kind, revision=name, percent=share) for kind, name, share in traffic
    ]
    with pytest.raises(exceptions.InvalidArgument) as refused:
        cloud.deploy("wrong-traffic", traffic=targets)
    assert named_field(refused.value) == field


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"image": ""}, "service.template.containers[0].image"),
        ({"revision": "other-00001"}, "service.template.revision"),
        ({"revision": "wrong-Upper"}, "service.template.revision"),
        ({"timeout": {"seconds": 3601}}, "service.template.timeout"),
        ({"max_instance_request_concurrency": 1001}, "service.template.max_instance_request_concurrency"),
        ({"env": {"PORT": "1"}}, "service.template.containers[0].env"),
        (
            {"resources": {"limits": {"memory": "lots"}}},
            "service.template.containers[0].resources.limits.memory",
        ),
        (
            {"startup_probe": {"tcp_socket": {"port": 1}, "timeout_seconds": 9, "period_seconds": 2}},
            "service.template.containers[0].startup_probe.timeout_seconds",
        ),
    ],
)
def test_a_wrong_template_is_refused_with_its_field(
    cloud: Cloud, options: dict[str, object], field: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument) as refused:
        cloud.deploy("wrong", **options)
    assert named_field(refused.value) == field
    with pytest.raises(exceptions.NotFound):
        cloud.services.get_service(name=f"{PARENT}/services/wrong")


@pytest.mark.parametrize("service_id", ["Upper", "1st", "ends-", "a" * 50, ""])
def test_a_wrong_service_name_is_refused(cloud: Cloud, service_id: str) -> None:
    with pytest.raises(exceptions.InvalidArgument) as refused:
        cloud.deploy(service_id)
    assert named_field(refused.value) == "service_id"


def test_two_services_of_one_name_are_refused(cloud: Cloud) -> None:
    cloud.deploy("twice")
    with pytest.raises(exceptions.AlreadyExists):
        cloud.deploy("twice")


def test_a_revision_name_cannot_be_used_for_another_template(cloud: Cloud) -> None:
    made = cloud.deploy("reuse", revision="reuse-one")
    made.template.containers[0].env.append(run_v2.EnvVar(name="GREETING", value="x"))
    with pytest.raises(exceptions.AlreadyExists, match="reuse-one"):
        cloud.update(made)


def test_what_is_missing_is_not_found(cloud: Cloud) -> None:
    missing = f"{PARENT}/services/missing"
    with pytest.raises(exceptions.NotFound, match=missing):
        cloud.services.get_service(name=missing)
    with pytest.raises(exceptions.NotFound):
        cloud.services.delete_service(name=missing)
    with pytest.raises(exceptions.NotFound):
        cloud.update(run_v2.Service(name=missing, template=service().template))
    with pytest.raises(exceptions.NotFound):
        cloud.revisions.get_revision(name=f"{missing}/revisions/missing-1")
    with pytest.raises(exceptions.NotFound):
        list(cloud.revisions.list_revisions(parent=missing))


def test_allow_missing_creates_the_service(cloud: Cloud) -> None:
    made = cloud.update(
        run_v2.Service(name=f"{PARENT}/services/upserted", template=service().template), allow_missing=True
    )
    assert httpx.get(made.uri).status_code == 200


def test_validate_only_changes_nothing(cloud: Cloud) -> None:
    request = {"parent": PARENT, "service_id": "dry", "service": service(), "validate_only": True}
    checked = cloud.services.create_service(request=request).result(polling=POLLING)
    assert checked.template.containers[0].ports[0].container_port == 8080
    with pytest.raises(exceptions.NotFound):
        cloud.services.get_service(name=f"{PARENT}/services/dry")

    made = cloud.deploy("dry-update")
    etag = made.etag
    made.labels["x"] = "y"
    assert cloud.update(made, validate_only=True).labels["x"] == "y"
    assert cloud.services.get_service(name=made.name).etag == etag
    made.traffic = [run_v2.TrafficTarget(type_=LATEST, percent=1)]
    with pytest.raises(exceptions.InvalidArgument):
        cloud.update(made, validate_only=True)


def test_services_and_revisions_come_in_pages(cloud: Cloud) -> None:
    parent = "projects/paging/locations/europe-west1"
    for index in range(3):
        request = {"parent": parent, "service_id": f"page-{index}", "service": service()}
        cloud.services.create_service(request=request).result(polling=POLLING)

    pages = list(cloud.services.list_services(request={"parent": parent, "page_size": 2}).pages)
    assert [[short(s.name) for s in page.services] for page in pages] == [["page-0", "page-1"], ["page-2"]]
    found = list(cloud.revisions.list_revisions(request={"parent": f"{parent}/services/-", "page_size": 1}))
    assert [revision.service for revision in found] == ["page-0", "page-1", "page-2"]
    with pytest.raises(exceptions.InvalidArgument, match="page_token"):
        list(cloud.services.list_services(request={"parent": parent, "page_token": "garbled"}))
    with pytest.raises(exceptions.InvalidArgument, match="page_size"):
        list(cloud.services.list_services(request={"parent": parent, "page_size": -1}))
    other = {"parent": PARENT, "page_token": pages[0].next_page_token}
    with pytest.raises(exceptions.InvalidArgument, match="page_token"):
        list(cloud.services.list_services(request=other))


def test_revisions_are_listed_newest_first(cloud: Cloud) -> None:
    made = cloud.deploy("newest", revision="newest-a")
    for name in ("newest-b", "newest-c"):
        made.template.revision = name
        made = cloud.update(made)
    found = list(cloud.revisions.list_revisions(parent=made.name))
    assert [short(revision.name) for revision in found] == ["newest-c", "newest-b", "newest-a"]


def test_a_revision_is_deleted_only_when_nothing_leads_to_it(cloud: Cloud) -> None:
    made = cloud.deploy("prune", revision="prune-a")
    first = made.latest_ready_revision
    made.template.revision = "prune-b"
    made.traffic = [
        run_v2.TrafficTarget(type_=LATEST, percent=100),
        run_v2.TrafficTarget(type_=PINNED, revision="prune-a", tag="old"),
    ]
    made = cloud.update(made)
    for name in (first, made.latest_ready_revision):
        with pytest.raises(exceptions.FailedPrecondition):
            cloud.revisions.delete_revision(name=name)
    made.traffic = [run_v2.TrafficTarget(type_=LATEST, percent=100)]
    cloud.update(made)
    cloud.revisions.delete_revision(name=first).result(polling=POLLING)
    with pytest.raises(exceptions.NotFound):
        cloud.revisions.get_revision(name=first)


def test_a_deleted_service_is_gone_with_its_port(cloud: Cloud) -> None:
    made = cloud.deploy("deleted")
    gone = cloud.services.delete_service(name=made.name).result(polling=POLLING)
    assert gone.delete_time
    with pytest.raises(exceptions.NotFound):
        cloud.services.get_service(name=made.name)
    with pytest.raises(httpx.ConnectError):
        httpx.get(made.uri)


def test_operations_can_be_read_awaited_and_listed(cloud: Cloud) -> None:
    parent = "projects/operations/locations/us-east1"
    request = {"parent": parent, "service_id": "op", "service": service()}
    operation = cloud.services.create_service(request=request).operation
    client = cloud.services
    waited = type(operation).FromString(
        client.wait_operation({"name": operation.name, "timeout": {"seconds": 20}})
    )
    assert waited.done
    assert client.get_operation({"name": operation.name}).done
    assert [o.name for o in client.list_operations({"name": f"{parent}/operations"}).operations] == [
        operation.name
    ]
    with pytest.raises(exceptions.NotFound):
        client.get_operation({"name": f"{parent}/operations/none"})


def test_what_is_not_emulated_says_so(cloud: Cloud) -> None:
    made = service()
    made.template.containers.append(run_v2.Container(image="echo"))
    with pytest.raises(exceptions.MethodNotImplemented, match="sidecar"):
        cloud.services.create_service(parent=PARENT, service_id="sidecar", service=made)
