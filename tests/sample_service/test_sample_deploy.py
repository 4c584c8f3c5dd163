"""The sample service's deploy script, as a process, against the local cloud over its real wire."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from google.cloud import run_v2
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from sample_process import ROOT

FOLDER = ROOT / "runbook_lib" / "emulator" / "sample_service"
SERVICE = "projects/netra-staging/locations/us-central1/services/backend-service"
SEED_DEPLOY = ["--project", "netra-staging", "--service", "backend", "--build-local"]
Deploy = Callable[..., subprocess.CompletedProcess[str]]


def _emulator(state: Path, *command: str) -> str:
    arguments = [sys.executable, "-m", "runbook_lib.emulator", *command, "--state-dir", str(state)]
    return subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local cloud for this module."""
    state = tmp_path_factory.mktemp("cloud")
    yield json.loads(_emulator(state, "up", "--json"))["grpc"]
    _emulator(state, "down")


@pytest.fixture(scope="module")
def script(endpoint: str) -> Deploy:
    """The script in its own folder, as the seed calls it."""

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "scripts/deploy_to_gcp.py", *arguments]
        env = {**os.environ, "RUNBOOK_RUN_ENDPOINT": endpoint, **environ}
        return subprocess.run(
            command, cwd=FOLDER, env=env, check=False, capture_output=True, text=True, timeout=90
        )

    return run


def _service(endpoint: str) -> run_v2.Service:
    with grpc.insecure_channel(endpoint) as channel:
        client = run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel))
        return client.get_service(name=SERVICE, timeout=20, retry=None)


def _traffic(endpoint: str) -> list[tuple[str, int, str]]:
    return [(status.revision, status.percent, status.tag) for status in _service(endpoint).traffic_statuses]


def _tag(endpoint: str, revision: str, tag: str) -> None:
    """Give a revision an address of its own, beside what serves."""
    by_revision = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
    service = _service(endpoint)
    service.traffic.append(run_v2.TrafficTarget(type_=by_revision, revision=revision, tag=tag))
    with grpc.insecure_channel(endpoint) as channel:
        client = run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel))
        client.update_service(service=service, timeout=20, retry=None).result(timeout=60)


def _revision(done: subprocess.CompletedProcess[str]) -> str:
    found = re.search(r"^Revision ID: (backend-service-\d{5}-\w{3})$", done.stdout, re.MULTILINE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert found is not None, done.stdout
    return found[1]


def test_deploy_creates_updates_and_rolls_back(endpoint: str, script: Deploy) -> None:
    """The seed's two commands, and what the cloud says after each."""
    first = _revision(script(*SEED_DEPLOY, SAMPLE_IMAGE="sample-agent:previous"))
    second = _revision(script(*SEED_DEPLOY))
    service = _service(endpoint)
    assert first != second
    assert service.latest_ready_revision.endswith(second)
    assert service.template.containers[0].image == "sample-agent:healthy"
    assert _traffic(endpoint) == [(second, 100, "")]

    _tag(endpoint, second, "candidate")
    done = script("--project", "netra-staging", "--rollback", "--revision", first)
    assert done.returncode == 0, done.stderr
    assert f"Rolled back to: {first}\n" in done.stdout
    assert _traffic(endpoint) == [(first, 100, ""), (second, 0, "candidate")]

    pinned = script(*SEED_DEPLOY)  # the same image again makes a revision all the same
    assert "Traffic is pinned to named revisions and stays where it is" in pinned.stdout
    assert _revision(pinned) not in (first, second)
    assert _traffic(endpoint) == [(first, 100, ""), (second, 0, "candidate")]


def test_deploy_of_a_container_that_dies_fails_and_names_its_revision(script: Deploy) -> None:
    """Its logs are the next thing to look at."""
    done = script(*SEED_DEPLOY, "--image", "sample-agent:crash-loop")
    assert done.returncode == 1
    assert "Revision ID" not in done.stdout
    assert re.search(r"failed: DeployError: backend-service-\d{5}-\w{3} did not become ready: ", done.stderr)


def test_rollback_to_a_revision_that_is_not_there_fails(script: Deploy) -> None:
    """Checked before any traffic moves."""
    done = script("--project", "netra-staging", "--rollback", "--revision", "backend-service-00077-xyz")
    assert done.returncode == 1
    assert "NotFound" in done.stderr
    assert "backend-service-00077-xyz" in done.stderr


def test_a_cloud_that_does_not_answer_fails_at_once(script: Deploy) -> None:
    """One clear line, no traceback, no retries for minutes."""
    done = script(*SEED_DEPLOY, RUNBOOK_RUN_ENDPOINT="127.0.0.1:1")
    assert done.returncode == 1
    assert (
        "Deployment of backend-service in netra-staging/us-central1 failed: ServiceUnavailable" in done.stderr
    )
    assert "Traceback" not in done.stderr


def test_rollback_without_a_revision_is_bad_usage(script: Deploy) -> None:
    """And so is a revision without --rollback."""
    for wrong in (["--rollback"], ["--revision", "backend-service-00001-abc"]):
        done = script("--project", "netra-staging", *wrong)
        assert done.returncode == 2
        assert "--rollback and --revision ID go together" in done.stderr
