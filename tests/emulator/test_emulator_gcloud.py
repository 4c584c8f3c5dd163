"""The real gcloud works on the emulator as it does on Google Cloud, by the exports that `env` prints."""

import re
from collections.abc import Iterator
from pathlib import Path

import api_pages as pages
import local
import pytest
from gcloud_shell import FLAGS, Shell, require_gcloud, shell

pytestmark = pytest.mark.xdist_group("gcloud")
SERVICE = "backend-service"


@pytest.fixture(scope="module")
def gcloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell on an emulator of this module's own, with one service in it, deployed by gcloud."""
    require_gcloud()
    folder = tmp_path_factory.mktemp("gcloud")
    with shell(folder, folder, "--sample-period", "0.2") as opened:
        opened.run(f"gcloud run deploy {SERVICE} --image sample-agent:previous {FLAGS}")
        yield opened


def described(gcloud: Shell, service: str = SERVICE) -> dict:
    """Return the service as gcloud shows it."""
    return gcloud.json(f"gcloud run services describe {service} {FLAGS} --format=json")


def status_of(gcloud: Shell, service: str = SERVICE) -> dict:
    """Return the service's status from the API that gcloud asks, but without starting a gcloud for it."""
    path = f"/apis/serving.knative.dev/v1/namespaces/netra-staging/services/{service}"
    headers = {"Host": "us-central1-run.local.test"}  # the region is in the host's name
    return dict(local.get(gcloud.info["http"] + path, headers=headers, timeout=30).json()["status"])


def ready_revision(gcloud: Shell, service: str = SERVICE) -> str:
    """Return the latest ready revision."""
    return str(status_of(gcloud, service)["latestReadyRevisionName"])


def test_the_exports_need_no_account_and_touch_no_settings_of_the_user(gcloud: Shell) -> None:
    config = gcloud.run('echo "$CLOUDSDK_CONFIG"').stdout.strip()
    assert Path(config).is_relative_to(gcloud.state_dir)
    assert gcloud.run("gcloud config get-value account 2>/dev/null").stdout.strip() in ("", "(unset)")


@pytest.mark.conformance(pages.GCLOUD_REVISIONS_LIST)
def test_revisions_are_listed_by_the_seeds_command(gcloud: Shell) -> None:
    done = gcloud.run(
        "gcloud run revisions list --service=backend-service --region=us-central1 "
        "--project=netra-staging --limit=5"
    )
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["REVISION", "ACTIVE", "SERVICE", "DEPLOYED", "DEPLOYED", "BY"]
    assert any(re.search(rf"backend-service-00001-\w{{3}} +yes +{SERVICE} ", row) for row in rows)


@pytest.mark.conformance(pages.GCLOUD_REVISIONS_LIST)
def test_a_limit_shortens_the_list_and_another_service_has_none(gcloud: Shell) -> None:
    gcloud.run(f"gcloud run deploy {SERVICE} --image sample-agent:previous {FLAGS}")
    names = "--format='value(metadata.name)'"
    listed = gcloud.run(f"gcloud run revisions list --service={SERVICE} {FLAGS} --limit=1 {names}").stdout
    assert listed.split() == [ready_revision(gcloud)]
    assert gcloud.run(f"gcloud run revisions list --service=absent {FLAGS} {names}").stdout == ""


@pytest.mark.conformance(pages.GCLOUD_SERVICES_DESCRIBE)
def test_a_service_is_described_and_listed(gcloud: Shell) -> None:
    text = gcloud.run(f"gcloud run services describe {SERVICE} {FLAGS}").stdout
    url = described(gcloud)["status"]["url"]
    assert re.search(rf"URL: +{re.escape(url)}", text)
    assert "Image:           sample-agent:previous" in text
    assert local.get(f"{url}/health").status_code == 200
    for where in (FLAGS, "--project=netra-staging"):
        row = gcloud.run(f"gcloud run services list {where}").stdout.splitlines()[1]
        assert re.search(rf"{SERVICE} +us-central1 +{re.escape(url)}", row)


@pytest.mark.conformance(pages.GCLOUD_SERVICES_DESCRIBE)
@pytest.mark.refusal
def test_a_service_that_does_not_exist_is_refused(gcloud: Shell) -> None:
    done = gcloud.run(f"gcloud run services describe absent {FLAGS}", check=False)
    assert (done.returncode, "Cannot find service [absent]" in done.stderr) == (1, True)


@pytest.mark.conformance(pages.GCLOUD_DEPLOY)
def test_a_tagged_deployment_without_traffic_leaves_the_old_revision_serving(gcloud: Shell) -> None:
    old = ready_revision(gcloud)
    done = gcloud.run(
        f"gcloud run deploy {SERVICE} --image sample-agent:healthy --no-traffic --tag candidate {FLAGS}"
    )
    assert re.search(r"is serving .*0.* percent of traffic", done.stderr)
    status = status_of(gcloud)
    assert status["latestReadyRevisionName"] != old
    shares = {each["revisionName"]: each for each in status["traffic"]}
    assert shares[old]["percent"] == 100
    tagged = shares[status["latestReadyRevisionName"]]
    assert (tagged["tag"], tagged.get("percent", 0)) == ("candidate", 0)
    assert local.get(f"{tagged['url']}/health").json()["revision"] == status["latestReadyRevisionName"]
    assert local.get(f"{status['url']}/health").json()["revision"] == old


@pytest.mark.conformance(pages.GCLOUD_TRAFFIC)
def test_traffic_is_split_pinned_and_given_back_to_the_latest(gcloud: Shell) -> None:
    gcloud.run(f"gcloud run deploy mover --image sample-agent:healthy {FLAGS}")
    first = ready_revision(gcloud, "mover")
    gcloud.run(f"gcloud run deploy mover --image sample-agent:previous {FLAGS}")
    update = f"gcloud run services update-traffic mover {FLAGS}"

    gcloud.run(f"{update} --to-revisions={first}=90,LATEST=10")
    shares = status_of(gcloud, "mover")["traffic"]
    assert {(each["percent"], each.get("latestRevision", False)) for each in shares} == {
        (90, False), (10, True)
    }  # fmt: skip
    gcloud.run(f"{update} --to-revisions={first}=100")
    assert local.get(status_of(gcloud, "mover")["url"] + "/health").json()["revision"] == first
    gcloud.run(f"{update} --to-latest")
    (share,) = status_of(gcloud, "mover")["traffic"]
    assert (share["percent"], share["latestRevision"]) == (100, True)


@pytest.mark.conformance(pages.GCLOUD_TRAFFIC)
@pytest.mark.refusal
def test_traffic_to_a_revision_that_does_not_exist_is_refused_and_changes_nothing(gcloud: Shell) -> None:
    before = status_of(gcloud)["traffic"]
    done = gcloud.run(
        f"gcloud run services update-traffic {SERVICE} {FLAGS} --to-revisions=nothing-here=100", check=False
    )
    assert done.returncode == 1
    assert "Revision 'nothing-here' does not exist or is deleted." in done.stderr
    assert status_of(gcloud)["traffic"] == before


@pytest.mark.conformance(pages.GCLOUD_DEPLOY)
def test_a_container_that_dies_fails_the_deployment_and_the_old_one_serves_on(gcloud: Shell) -> None:
    gcloud.run(f"gcloud run deploy steady --image sample-agent:healthy {FLAGS}")
    old = ready_revision(gcloud, "steady")
    for image, reason in (
        ("sample-agent:crash-loop", "The user-provided container failed to start and listen on the port"),
        ("no-such-image", "Image 'no-such-image' not found."),
    ):
        done = gcloud.run(f"gcloud run deploy steady --image {image} {FLAGS}", check=False)
        assert (done.returncode, reason in done.stderr) == (1, True), done.stderr
    status = status_of(gcloud, "steady")
    assert status["latestCreatedRevisionName"] != status["latestReadyRevisionName"] == old
    assert local.get(f"{status['url']}/health").json()["revision"] == old


@pytest.mark.conformance(pages.GCLOUD_DEPLOY)
def test_settings_on_the_command_line_reach_the_container(gcloud: Shell) -> None:
    gcloud.run(
        f"gcloud run deploy settings --image sample-agent:healthy {FLAGS} --allow-unauthenticated "
        "--set-env-vars JWT_SECRET_KEY=known --memory 256Mi --max-instances 3 --concurrency 7 "
        "--timeout 60 --ingress internal --labels team=a"
    )
    shown = described(gcloud, "settings")
    spec = shown["spec"]["template"]["spec"]
    assert (spec["containerConcurrency"], spec["timeoutSeconds"]) == (7, 60)
    assert spec["containers"][0]["env"] == [{"name": "JWT_SECRET_KEY", "value": "known"}]
    assert spec["containers"][0]["resources"]["limits"]["memory"] == "256Mi"
    template = shown["spec"]["template"]["metadata"]["annotations"]
    assert template["autoscaling.knative.dev/maxScale"] == "3"
    assert shown["metadata"]["annotations"]["run.googleapis.com/ingress"] == "internal"
    assert shown["metadata"]["labels"]["team"] == "a"
    policy = gcloud.json(f"gcloud run services get-iam-policy settings {FLAGS} --format=json")
    assert policy["bindings"] == [{"members": ["allUsers"], "role": "roles/run.invoker"}]


def test_what_is_not_emulated_is_refused_by_name(gcloud: Shell) -> None:
    done = gcloud.run(
        f"gcloud run deploy refused --image sample-agent:healthy {FLAGS} --vpc-connector c", check=False
    )
    assert done.returncode == 1
    assert "The annotation run.googleapis.com/vpc-access-connector is not emulated." in done.stderr


@pytest.mark.conformance(pages.GCLOUD_LOGGING_READ)
def test_logs_are_read_by_the_seeds_command(gcloud: Shell) -> None:
    entries = gcloud.json(
        'gcloud logging read "resource.type=cloud_run_revision '
        'AND resource.labels.service_name=backend-service" '
        "  --project=netra-staging --limit=50 --format=json"
    )
    assert 0 < len(entries) <= 50
    assert {entry["resource"]["labels"]["service_name"] for entry in entries} == {SERVICE}
    times = [entry["timestamp"] for entry in entries]
    assert times == sorted(times, reverse=True)
    assert any(entry.get("jsonPayload", {}).get("message") == "listening" for entry in entries)


@pytest.mark.conformance(pages.GCLOUD_LOGGING_READ)
@pytest.mark.refusal
def test_a_filter_that_cannot_be_read_is_refused_at_its_column(gcloud: Shell) -> None:
    done = gcloud.run("gcloud logging read 'severity >' --project=netra-staging", check=False)
    assert done.returncode == 1
    assert "filter: unparseable" in done.stderr


IMAGE = "--image sample-agent:previous"
REFUSED = [
    ("services delete absent", pages.GCLOUD_SERVICES_DELETE, "Service [absent] could not be found."),
    ("revisions describe absent", pages.GCLOUD_REVISIONS_DESCRIBE, "Cannot find revision [absent]"),
    (
        f"services update-traffic {SERVICE} --to-revisions=LATEST=60,a=50", pages.GCLOUD_TRAFFIC,
        "Over 100% of traffic is specified",
    ),
    (
        f"deploy {SERVICE} {IMAGE} --memory 64Mi", pages.GCLOUD_DEPLOY,
        "(gcloud.run.deploy) spec.template.spec.containers[0].resources.limits.memory: '64Mi' does not go",
    ),
    (
        f"deploy {SERVICE} {IMAGE} --tag {'t' * 40}", pages.GCLOUD_DEPLOY,
        f"'{'t' * 40}' and '{SERVICE}' together are longer than 46",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        pytest.param(command, reason, id=command, marks=[pytest.mark.conformance(page), pytest.mark.refusal])
        for command, page, reason in REFUSED
    ],
)
def test_a_wrong_command_is_refused_and_changes_nothing(gcloud: Shell, command: str, reason: str) -> None:
    def state() -> str:
        return local.get(
            f"{gcloud.info['http']}/v2/projects/netra-staging/locations/us-central1/services"
        ).text

    before = state()
    done = gcloud.run(f"gcloud run {command} {FLAGS}", check=False)
    assert (done.returncode, reason in done.stderr) == (1, True), done.stderr
    assert state() == before


@pytest.mark.conformance(pages.GCLOUD_LOGGING_WRITE)
def test_an_entry_is_written_and_read_in_the_format_asked_for(gcloud: Shell) -> None:
    project = "--project=netra-staging"
    gcloud.run(f"gcloud logging write by-gcloud first {project} --severity=ERROR")
    gcloud.run(f"""gcloud logging write by-gcloud '{{"n": 1}}' --payload-type=json {project}""")
    read = f"""gcloud logging read 'log_id("by-gcloud")' {project} --limit=1"""
    oldest = gcloud.run(f"{read} --order=asc --format='value(severity,textPayload)'").stdout
    assert oldest.split() == ["ERROR", "first"]
    assert gcloud.json(f"{read} --format='json(jsonPayload)'") == [{"jsonPayload": {"n": 1}}]


@pytest.mark.conformance(pages.GCLOUD_REVISIONS_DELETE)
def test_a_service_and_an_unused_revision_are_deleted(gcloud: Shell) -> None:
    gcloud.run(f"gcloud run deploy gone --image sample-agent:healthy {FLAGS}")
    first = ready_revision(gcloud, "gone")
    refused = gcloud.run(f"gcloud run revisions delete {first} {FLAGS}", check=False)
    assert (refused.returncode, "cannot be deleted" in refused.stderr) == (1, True), refused.stderr
    gcloud.run(f"gcloud run deploy gone --image sample-agent:previous {FLAGS}")
    gcloud.run(f"gcloud run revisions delete {first} {FLAGS}")
    gcloud.run(f"gcloud run services delete gone {FLAGS}")
    listed = gcloud.run(f"gcloud run services list {FLAGS} --format='value(metadata.name)'").stdout.split()
    assert "gone" not in listed
    assert SERVICE in listed
