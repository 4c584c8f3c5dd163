"""Revisions are listed and deleted as their pages say, and what a service tells of them fits."""

import api_pages as pages
import pytest
from emulator_cloud import LATEST, PINNED, POLLING, Cloud, short
from google.api_core import exceptions
from google.cloud import run_v2


@pytest.mark.conformance(pages.LIST_REVISIONS)
def test_revisions_are_listed_newest_first(cloud: Cloud) -> None:
    made = cloud.deploy("newest", revision="newest-a")
    for name in ("newest-b", "newest-c"):
        made.template.revision = name
        made = cloud.update(made)
    found = list(cloud.revisions.list_revisions(parent=made.name))
    assert [short(revision.name) for revision in found] == ["newest-c", "newest-b", "newest-a"]


@pytest.mark.conformance(pages.DELETE_REVISION)
def test_a_revision_without_traffic_or_tag_is_deleted_when_a_newer_one_is_there(cloud: Cloud) -> None:
    made = cloud.deploy("prune", revision="prune-a")
    first = made.latest_ready_revision
    made.template.revision = "prune-b"
    cloud.update(made)

    validated = cloud.revisions.delete_revision(request={"name": first, "validate_only": True})
    assert validated.result(polling=POLLING).name == first
    assert cloud.revisions.get_revision(name=first).name == first
    assert cloud.revisions.delete_revision(name=first).result(polling=POLLING).delete_time
    with pytest.raises(exceptions.NotFound):
        cloud.revisions.get_revision(name=first)


@pytest.mark.conformance(pages.REVISION)
def test_a_revision_is_a_snapshot_of_its_template(cloud: Cloud, standing: run_v2.Service) -> None:
    revision = cloud.revisions.get_revision(name=f"{standing.name}/revisions/standing-b")
    assert revision.service == "standing"
    assert revision.containers == standing.template.containers
    assert (revision.timeout, revision.generation) == (standing.template.timeout, 1)
    assert revision.max_instance_request_concurrency == 80
    states = {each.type_: each.state for each in revision.conditions}
    assert states["Ready"] == run_v2.Condition.State.CONDITION_SUCCEEDED


@pytest.mark.conformance(pages.SERVICE)
def test_the_latest_ready_revision_need_not_be_the_one_that_serves(standing: run_v2.Service) -> None:
    assert short(standing.latest_ready_revision) == short(standing.latest_created_revision) == "standing-b"
    assert (standing.generation, standing.observed_generation, standing.reconciling) == (2, 2, False)


@pytest.mark.conformance(pages.TRAFFIC_STATUS)
def test_each_target_has_a_status_with_its_revision_and_the_address_of_its_tag(
    standing: run_v2.Service,
) -> None:
    pinned, tagged = standing.traffic_statuses
    assert (pinned.type_, pinned.revision, pinned.percent, pinned.uri) == (PINNED, "standing-a", 100, "")
    assert (tagged.type_, tagged.revision, tagged.percent, tagged.tag) == (LATEST, "standing-b", 0, "next")
    assert tagged.uri not in ("", standing.uri)
