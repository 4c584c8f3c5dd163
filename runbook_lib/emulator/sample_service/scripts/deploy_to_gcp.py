"""Deploy or roll back the sample service on Cloud Run, and wait until that has happened.

Reaches the Cloud Run Admin API (or the endpoint in RUNBOOK_RUN_ENDPOINT) and nothing else.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc
from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.api_core.future.polling import DEFAULT_POLLING
from google.auth.exceptions import GoogleAuthError
from google.cloud import run_v2
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from google.protobuf.field_mask_pb2 import FieldMask

SERVICE_NAMES = {"backend": "backend-service"}
BY_REVISION = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
WAIT_S = 300.0
CALL_S = 30.0


class DeployError(Exception):
    """The deployment or the rollback did not happen; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """The two clients, and how often to look at a running operation."""

    services: run_v2.ServicesClient
    revisions: run_v2.RevisionsClient
    polling: object


def connect(endpoint: str | None) -> Cloud:
    """Return clients for that host:port without TLS, or for the real cloud."""
    if not endpoint:
        return Cloud(
            services=run_v2.ServicesClient(), revisions=run_v2.RevisionsClient(), polling=DEFAULT_POLLING
        )
    channel = grpc.insecure_channel(endpoint)
    return Cloud(
        services=run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel)),
        revisions=run_v2.RevisionsClient(transport=RevisionsGrpcTransport(channel=channel)),
        polling=DEFAULT_POLLING.with_delay(initial=0.02, maximum=0.1, multiplier=1.0),
    )


def deploy(cloud: Cloud, parent: str, service_id: str, image: str) -> str:
    """Give the service this image and return the id of the revision that came of it.

    An unchanged template makes no new revision, so each deployment stamps it.
    """
    name = f"{parent}/services/{service_id}"
    try:
        before = cloud.services.get_service(name=name, timeout=CALL_S, retry=None)
    except NotFound:
        print(f"{service_id} does not exist yet: creating it")
        after = _created(cloud, parent, service_id, image)
    else:
        before.template.annotations["deployed-at"] = datetime.now(UTC).isoformat()
        after = _updated(cloud, before, image)
    revision = _short(after.latest_created_revision)
    if after.latest_ready_revision != after.latest_created_revision:
        raise DeployError(f"{revision} did not become ready: {after.terminal_condition.message}")
    return revision


def _created(cloud: Cloud, parent: str, service_id: str, image: str) -> run_v2.Service:
    service = run_v2.Service(template=run_v2.RevisionTemplate(containers=[run_v2.Container(image=image)]))
    operation = cloud.services.create_service(
        parent=parent, service=service, service_id=service_id, timeout=CALL_S, retry=None
    )
    return _deployed(cloud, f"{parent}/services/{service_id}", operation)


def _updated(cloud: Cloud, service: run_v2.Service, image: str) -> run_v2.Service:
    if service.traffic and all(target.type_ == BY_REVISION for target in service.traffic):
        print("Traffic is pinned to named revisions and stays where it is")
    service.template.containers[0].image = image
    service.template.revision = ""  # the platform names the new one
    request = run_v2.UpdateServiceRequest(service=service, update_mask=FieldMask(paths=["template"]))
    operation = cloud.services.update_service(request=request, timeout=CALL_S, retry=None)
    return _deployed(cloud, service.name, operation)


def roll_back(cloud: Cloud, parent: str, service_id: str, revision: str) -> None:
    """Send all traffic to one revision; tags keep their addresses."""
    name = f"{parent}/services/{service_id}"
    cloud.revisions.get_revision(name=f"{name}/revisions/{revision}", timeout=CALL_S, retry=None)
    service = cloud.services.get_service(name=name, timeout=CALL_S, retry=None)
    tagged = [
        run_v2.TrafficTarget(type_=target.type_, revision=target.revision, tag=target.tag, percent=0)
        for target in service.traffic
        if target.tag
    ]
    service.traffic = [run_v2.TrafficTarget(type_=BY_REVISION, revision=revision, percent=100), *tagged]
    request = run_v2.UpdateServiceRequest(service=service, update_mask=FieldMask(paths=["traffic"]))
    _wait(cloud, cloud.services.update_service(request=request, timeout=CALL_S, retry=None))


def _deployed(cloud: Cloud, name: str, operation: object) -> run_v2.Service:
    """Wait; a revision that does not come up is still named, because its logs are what one needs next."""
    try:
        return _wait(cloud, operation)
    except GoogleAPICallError as error:
        service = cloud.services.get_service(name=name, timeout=CALL_S, retry=None)
        raise DeployError(
            f"{_short(service.latest_created_revision)} did not become ready: {error.message}"
        ) from error


def _wait(cloud: Cloud, operation: object) -> run_v2.Service:
    print(f"Waiting for {operation.operation.name} …")
    return operation.result(timeout=WAIT_S, polling=cloud.polling)


def _short(resource: str) -> str:
    return resource.rsplit("/", 1)[-1]


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the arguments, checked against each other."""
    parser = argparse.ArgumentParser(description="Deploy the sample service to Cloud Run, or roll it back.")
    parser.add_argument("--project", required=True)
    parser.add_argument("--region", default="us-central1")
    parser.add_argument("--service", choices=sorted(SERVICE_NAMES), default="backend")
    parser.add_argument("--image", default=os.environ.get("SAMPLE_IMAGE") or "sample-agent:healthy")
    parser.add_argument("--build-local", action="store_true", help="take the image from the local catalogue")
    parser.add_argument("--rollback", action="store_true", help="send all traffic to --revision instead")
    parser.add_argument("--revision", metavar="ID", help="where --rollback goes")
    args = parser.parse_args(argv)
    if args.rollback != bool(args.revision):
        parser.error("--rollback and --revision ID go together")
    return args


def main(argv: list[str] | None = None) -> int:
    """Return 0 when it happened, 1 when it did not, 2 on bad usage."""
    args = parse(argv)
    what = f"{SERVICE_NAMES[args.service]} in {args.project}/{args.region}"
    started_s = time.monotonic()
    sys.stdout.reconfigure(line_buffering=True)  # whoever reads a pipe sees progress, too
    try:
        _act(args, connect(os.environ.get("RUNBOOK_RUN_ENDPOINT")))
    except (GoogleAPICallError, GoogleAuthError, DeployError, TimeoutError) as error:
        act = "Rollback" if args.rollback else "Deployment"
        print(f"{act} of {what} failed: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"Done in {time.monotonic() - started_s:.1f} s")
    return 0


def _act(args: argparse.Namespace, cloud: Cloud) -> None:
    parent = f"projects/{args.project}/locations/{args.region}"
    service_id = SERVICE_NAMES[args.service]
    if args.rollback:
        print(f"Rolling {service_id} back to {args.revision}")
        roll_back(cloud, parent, service_id, args.revision)
        print(f"Rolled back to: {args.revision}")
        return
    if args.build_local:
        print(f"Building {args.image}: the local catalogue has it by name, so there is nothing to compile")
    print(f"Deploying {args.image} as {service_id} in {args.project}/{args.region}")
    print(f"Revision ID: {deploy(cloud, parent, service_id, args.image)}")


if __name__ == "__main__":
    sys.exit(main())
