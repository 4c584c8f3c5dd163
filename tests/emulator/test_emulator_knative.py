"""The v1 paths show and change the same services as v2, and refuse by name what they cannot do."""

from typing import Any

import api_pages as pages
import local
import pytest
from emulator_cloud import PARENT, PINNED, POLLING, PROJECT, Cloud, service
from google.cloud import run_v2
from patience import eventually

from runbook_lib.emulator.errors import ApiError
from runbook_lib.emulator.knative import service_object
from runbook_lib.emulator.knative_write import service_from
from runbook_lib.emulator.label_selector import selects
from runbook_lib.emulator.state import SUCCEEDED

NAMESPACE = f"/apis/serving.knative.dev/v1/namespaces/{PROJECT}"
NAMED = f"/v1/{PARENT}"


def call(cloud: Cloud, verb: str, path: str, host: str = "us-central1-run.local.test", **options: Any) -> Any:
    """Make one v1 call with the region in the host's name, as gcloud does."""
    return local.request(verb, cloud.info["http"] + path, headers={"Host": host}, timeout=30, **options)


def knative(name: str, image: str = "echo", **spec: Any) -> dict[str, Any]:
    """Return the smallest Knative service."""
    template = {"spec": {"containers": [{"image": image}]}}
    metadata = {"name": name, "namespace": PROJECT}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"template": template, **spec},
    }


def ready(cloud: Cloud, name: str) -> dict[str, Any]:
    """Return the service once its Ready condition is decided."""

    def read() -> dict[str, Any]:
        return dict(call(cloud, "GET", f"{NAMESPACE}/services/{name}").json())

    return eventually(read, lambda shown: shown["status"]["conditions"][0]["status"] != "Unknown")


@pytest.mark.conformance(pages.V1_SERVICES)
def test_a_service_made_by_v1_is_one_of_v2(cloud: Cloud) -> None:
    made = call(cloud, "POST", f"{NAMESPACE}/services", json=knative("by-knative")).json()
    assert {each["status"] for each in made["status"]["conditions"]} == {"Unknown"}

    shown = ready(cloud, "by-knative")
    assert {each["type"]: each["status"] for each in shown["status"]["conditions"]} == {
        "Ready": "True", "ConfigurationsReady": "True", "RoutesReady": "True"
    }  # fmt: skip
    assert local.get(shown["status"]["url"]).json()["service"] == "by-knative"
    by_v2 = cloud.services.get_service(name=f"{PARENT}/services/by-knative")
    assert shown["metadata"]["resourceVersion"] == by_v2.etag
    assert by_v2.uri == shown["status"]["url"]


@pytest.mark.conformance(pages.V1_SERVICES)
@pytest.mark.refusal
def test_a_replacement_with_an_old_resource_version_is_a_conflict(cloud: Cloud) -> None:
    cloud.deploy("knative-stale")
    shown = ready(cloud, "knative-stale")
    shown["metadata"]["labels"]["team"] = "a"
    path = f"{NAMESPACE}/services/knative-stale"
    assert call(cloud, "PUT", path, json=shown).status_code == 200

    refused = call(cloud, "PUT", path, json=shown)
    assert (refused.status_code, refused.json()["error"]["status"]) == (409, "ABORTED")
    assert "stale" in refused.json()["error"]["message"]


@pytest.mark.conformance(pages.V1_SERVICES)
def test_a_service_written_back_as_it_was_read_makes_no_revision(cloud: Cloud) -> None:
    made = cloud.deploy("knative-same", env={"A": "b"}, traffic=[])
    shown = ready(cloud, "knative-same")
    call(cloud, "PUT", f"{NAMESPACE}/services/knative-same", json=shown)
    again = ready(cloud, "knative-same")
    assert again["metadata"]["generation"] == 2
    assert again["status"]["latestCreatedRevisionName"] == made.latest_created_revision.rsplit("/", 1)[1]


def test_both_directions_of_the_translation_agree() -> None:
    limits = {"memory": "256Mi", "cpu": "1000m"}
    before = run_v2.Service.pb(service(env={"A": "b"}, resources={"limits": limits}))
    before.name, before.etag = f"{PARENT}/services/s", '"tag"'
    before.description, before.client, before.ingress = "what it is", "a client", 2
    before.labels["team"] = "a"
    before.annotations["own/note"] = "kept"
    before.template.revision, before.template.timeout.seconds = "s-named", 77
    before.template.max_instance_request_concurrency = 5
    before.template.scaling.min_instance_count, before.template.scaling.max_instance_count = 1, 4
    before.template.session_affinity, before.template.execution_environment = True, 2
    before.template.containers[0].resources.startup_cpu_boost = True
    before.traffic.add(type_=int(PINNED), revision="s-named", percent=70, tag="t")
    before.traffic.add(type_=1, percent=30)
    assert service_from(service_object(before), before.name) == before


@pytest.mark.conformance(pages.V1_REVISIONS)
def test_revisions_are_chosen_by_label_and_paged(cloud: Cloud) -> None:
    made = cloud.deploy("knative-pages")
    made.template.revision = "knative-pages-second"
    cloud.update(made)
    query = "labelSelector=serving.knative.dev/service = knative-pages&limit=1"

    first = call(cloud, "GET", f"{NAMESPACE}/revisions?{query}").json()
    second = call(
        cloud, "GET", f"{NAMESPACE}/revisions?{query}&continue={first['metadata']['continue']}"
    ).json()
    names = [item["metadata"]["name"] for item in first["items"] + second["items"]]
    assert names[0] == "knative-pages-second"
    assert len(names) == 2
    assert "continue" not in second["metadata"]
    assert call(cloud, "GET", f"{NAMESPACE}/revisions/{names[1]}").json()["metadata"]["name"] == names[1]


@pytest.mark.conformance(pages.V1_REVISIONS)
def test_a_retired_revision_says_so(cloud: Cloud) -> None:
    made = cloud.deploy("knative-retired")
    first = made.latest_ready_revision.rsplit("/", 1)[1]
    made.template.revision = "knative-retired-second"
    cloud.update(made)
    conditions = call(cloud, "GET", f"{NAMESPACE}/revisions/{first}").json()["status"]["conditions"]
    (active,) = [each for each in conditions if each["type"] == "Active"]
    assert (active["status"], active["reason"], active["severity"]) == ("False", "Retired", "Info")


@pytest.mark.conformance(pages.V1_SERVICES)
def test_all_regions_are_listed_by_the_wildcard(cloud: Cloud) -> None:
    cloud.deploy("knative-here")
    parent = f"projects/{PROJECT}/locations/europe-west1"
    call_ = cloud.services.create_service(parent=parent, service_id="knative-there", service=service())
    call_.result(polling=POLLING)
    listed = call(cloud, "GET", f"/v1/projects/{PROJECT}/locations/-/services", host="run.local.test").json()
    regions = {
        item["metadata"]["name"]: item["metadata"]["labels"]["cloud.googleapis.com/location"]
        for item in listed["items"]
    }
    assert (regions["knative-here"], regions["knative-there"]) == ("us-central1", "europe-west1")
    here = call(cloud, "GET", f"{NAMESPACE}/services").json()["items"]
    assert "knative-there" not in [item["metadata"]["name"] for item in here]


@pytest.mark.conformance(pages.V1_PERMISSIONS)
def test_every_permission_is_granted_and_every_api_enabled(cloud: Cloud) -> None:
    cloud.deploy("knative-iam")
    answer = call(
        cloud,
        "POST",
        f"{NAMED}/services/knative-iam:testIamPermissions",
        json={"permissions": ["run.services.setIamPolicy"]},
    )
    assert answer.json() == {"permissions": ["run.services.setIamPolicy"]}
    api = call(cloud, "GET", f"/v1/projects/{PROJECT}/services/run.googleapis.com").json()
    assert api["state"] == "ENABLED"
    assert call(cloud, "GET", f"{NAMED}/services/absent:getIamPolicy").status_code == 404


def _changed(**changes: Any) -> dict[str, Any]:
    return {**knative("refused"), **changes}


def _spec(spec: dict[str, Any], metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    container = {"containers": [{"image": "echo"}], **spec}
    return _changed(spec={"template": {"spec": container, "metadata": metadata or {}}})


WRONG = [
    (_changed(kind="Job"), "kind"),
    (_changed(apiVersion="v1"), "kind"),
    (_changed(colour="red"), "colour"),
    (_changed(metadata={"name": "refused", "colour": "red"}), "metadata.colour"),
    (_changed(metadata={"name": "Refused"}), "metadata.name"),
    (_changed(spec={"colour": "red"}), "spec.colour"),
    (_changed(spec=[]), "spec.template.spec.containers"),
    (_spec({"colour": "red"}), "spec.template.spec.colour"),
    (_spec({"containers": [{"imgae": "echo"}]}), "spec.template.spec.containers[0].imgae"),
    (_spec({"containers": ["echo"]}), "spec.template.spec.containers"),
    (_changed(metadata={"name": "refused", "labels": {"a": 1}}), "metadata.labels"),
    (
        _spec({}, {"annotations": {"autoscaling.knative.dev/maxScale": 3}}),
        "spec.template.metadata.annotations",
    ),
    (
        _spec({"containers": [{"image": "echo", "startupProbe": {"timeoutSeconds": 300}}]}),
        "spec.template.spec.containers[0].startupProbe.timeoutSeconds",
    ),
    (_spec({"timeoutSeconds": 3601}), "spec.template.spec.timeoutSeconds"),
    (_spec({"containerConcurrency": 1001}), "spec.template.spec.containerConcurrency"),
    (
        _spec({}, {"annotations": {"autoscaling.knative.dev/maxScale": "many"}}),
        "metadata.annotations[autoscaling.knative.dev/maxScale]",
    ),
    (_spec({}, {"name": "other-prefix"}), "spec.template.metadata.name"),
    (_changed(spec={**knative("x")["spec"], "traffic": [{"percent": 100}]}), "spec.traffic[0]"),
    (
        _changed(spec={**knative("x")["spec"], "traffic": [{"latestRevision": True, "percent": 99}]}),
        "spec.traffic",
    ),
]


NOT_EMULATED = [
    _spec({"nodeSelector": {"gpu": "a"}}),
    _spec({"containers": [{"image": "echo", "resources": {"requests": {"cpu": "1"}}}]}),
    _spec({"containers": [{"image": "echo", "env": [{"name": "A", "valueFrom": {}}]}]}),
    _spec({}, {"annotations": {"run.googleapis.com/network-interfaces": "[]"}}),
]


@pytest.mark.conformance(pages.V1_SERVICES)
@pytest.mark.refusal
@pytest.mark.parametrize(("body", "field"), WRONG)
def test_a_wrong_service_is_refused_with_its_field(cloud: Cloud, body: dict[str, Any], field: str) -> None:
    answer = call(cloud, "POST", f"{NAMESPACE}/services", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["status"]) == (400, "INVALID_ARGUMENT"), error
    named = [each["field"] for detail in error["details"] for each in detail["fieldViolations"]]
    assert named == [field]
    assert error["message"].startswith(f"{field}: ")


@pytest.mark.parametrize("body", NOT_EMULATED)
def test_what_is_not_emulated_is_refused_by_name_and_not_repeated(cloud: Cloud, body: dict[str, Any]) -> None:
    answer = call(cloud, "POST", f"{NAMESPACE}/services", json=body)
    assert (answer.status_code, "details" in answer.json()["error"]) == (400, False)
    assert "is not emulated" in answer.json()["error"]["message"]


def test_a_collection_that_is_not_emulated_is_not_found(cloud: Cloud) -> None:
    assert call(cloud, "GET", f"{NAMESPACE}/domainmappings").status_code == 404


@pytest.mark.conformance(pages.V1_SERVICES)
@pytest.mark.refusal
@pytest.mark.parametrize(
    ("verb", "path", "code"),
    [
        ("GET", f"{NAMESPACE}/services/absent", 404),
        ("GET", f"{NAMESPACE}/revisions/absent", 404),
        ("DELETE", f"{NAMESPACE}/services/absent", 404),
        ("GET", f"{NAMESPACE}/services?limit=some", 400),
        ("GET", f"{NAMESPACE}/services?labelSelector=a~b", 400),
        ("GET", f"{NAMESPACE}/services?continue=garbled", 400),
    ],
)
def test_a_wrong_call_is_refused(cloud: Cloud, verb: str, path: str, code: int) -> None:
    assert call(cloud, verb, path).status_code == code


def test_a_host_without_a_region_is_refused_with_what_to_do(cloud: Cloud) -> None:
    answer = call(cloud, "GET", f"{NAMESPACE}/services", host="run.local.test")
    assert answer.status_code == 400
    assert "names no region: call it as REGION-run" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("", True), ("a=1", True), ("a = 1", True), ("a==1", True), ("a=2", False), ("a!=2", True),
        ("a!=1", False), ("absent!=1", True), ("a in (1, 2)", True), ("a in (2,3)", False),
        ("a notin (2)", True), ("a notin (1)", False), ("a", True), ("!a", False), ("!absent", True),
        ("a=1,b=2", True), ("a=1,b=3", False), ("x.y/z = w,a in (1,2),!c", True),
    ],
)  # fmt: skip
def test_a_label_selector_chooses(selector: str, chosen: bool) -> None:
    assert selects(selector, {"a": "1", "b": "2", "x.y/z": "w"}) is chosen


def test_what_is_no_label_selector_is_refused() -> None:
    with pytest.raises(ApiError, match=r"labelSelector: 'a ~ b' is neither key = value nor key in"):
        selects("a ~ b", {})


def test_while_a_change_is_under_way_no_condition_is_decided() -> None:
    changing = run_v2.Service.pb()(name=f"{PARENT}/services/changing", reconciling=True)
    for kind in ("ConfigurationsReady", "RoutesReady"):
        changing.conditions.add(type_=kind, state=SUCCEEDED)
    conditions = service_object(changing)["status"]["conditions"]
    assert [each["status"] for each in conditions] == ["Unknown"] * 3


def test_a_v2_service_without_a_template_is_shown_all_the_same() -> None:
    bare = run_v2.Service.pb()(name=f"{PARENT}/services/bare")
    assert service_object(bare)["metadata"]["name"] == "bare"
