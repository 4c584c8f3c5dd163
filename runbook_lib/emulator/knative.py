"""Shows v2 services and revisions as the Knative objects of the v1 API; pure.

Source: https://cloud.google.com/run/docs/reference/rest/v1/namespaces.services and …/namespaces.revisions
"""

from collections.abc import Sequence
from typing import Any

from google.cloud import run_v2
from google.protobuf import json_format

from .knative_annotations import SERVICE, TEMPLATE, read_annotations
from .names import RevisionId, parse_revision, parse_service
from .state import FAILED, SUCCEEDED
from .validation import LATEST
from .wire import Message

API_VERSION = "serving.knative.dev/v1"
LOCATION_LABEL = "cloud.googleapis.com/location"
SERVICE_LABEL = "serving.knative.dev/service"
_CREATOR, _MODIFIER = "serving.knative.dev/creator", "serving.knative.dev/lastModifier"
_INFO = int(run_v2.Condition.Severity.INFO)


def service_object(service: Message) -> dict[str, Any]:
    """Return a service as a Knative Service."""
    identity = parse_service("name", service.name)
    metadata = _metadata(service, identity, identity.service, "services")
    annotations = read_annotations(service, SERVICE)
    metadata["annotations"] |= annotations | {
        _CREATOR: service.creator,
        _MODIFIER: service.last_modifier,
        "run.googleapis.com/ingress-status": annotations.get("run.googleapis.com/ingress", "all"),
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "template": _template(service.template),
            "traffic": [_target(target) for target in service.traffic],
        },
        "status": _service_status(service),
    }


def revision_object(revision: Message) -> dict[str, Any]:
    """Return a revision as a Knative Revision."""
    identity = parse_revision("name", revision.name)
    metadata = _metadata(revision, identity, identity.revision, "revisions")
    metadata["labels"] |= {
        SERVICE_LABEL: identity.service,
        "serving.knative.dev/configuration": identity.service,
    }
    metadata["annotations"] |= {_CREATOR: revision.creator} | read_annotations(revision, TEMPLATE)
    return {
        "apiVersion": API_VERSION,
        "kind": "Revision",
        "metadata": metadata,
        "spec": _revision_spec(revision),
        "status": {
            "observedGeneration": revision.observed_generation,
            "conditions": [_condition(each) for each in revision.conditions],
            "logUrl": revision.log_uri,
        },
    }


def list_object(kind: str, items: Sequence[dict[str, Any]], next_page: str) -> dict[str, Any]:
    """Return a page of objects as a Knative list."""
    metadata = {"continue": next_page} if next_page else {}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "items": list(items)}


def _metadata(resource: Message, identity: RevisionId, name: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": identity.project,
        "selfLink": f"/apis/{API_VERSION}/namespaces/{identity.project}/{kind}/{name}",
        "uid": resource.uid,
        "resourceVersion": resource.etag,
        "generation": resource.generation,
        "creationTimestamp": resource.create_time.ToJsonString(),
        "labels": {**resource.labels, LOCATION_LABEL: identity.location},
        "annotations": dict(resource.annotations),
    }


def _template(template: Message) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "labels": dict(template.labels),
        "annotations": {**template.annotations, **read_annotations(template, TEMPLATE)},
    }
    if template.revision:
        metadata["name"] = template.revision
    return {"metadata": metadata, "spec": _revision_spec(template)}


def _revision_spec(template: Message) -> dict[str, Any]:
    spec = {
        "containerConcurrency": template.max_instance_request_concurrency,
        "timeoutSeconds": template.timeout.seconds,
        "serviceAccountName": template.service_account,
        "containers": [_container(container) for container in template.containers],
    }
    return {key: value for key, value in spec.items() if value}


def _container(container: Message) -> dict[str, Any]:
    """A v2 container in JSON is a Knative one, but for what v1 says by annotations."""
    document: dict[str, Any] = json_format.MessageToDict(container)
    resources = document.get("resources", {})
    for key in ("startupCpuBoost", "cpuIdle"):
        resources.pop(key, None)
    return document


def _target(target: Message) -> dict[str, Any]:
    document: dict[str, Any] = {"percent": target.percent} if target.percent else {}
    if target.type_ == LATEST:
        document["latestRevision"] = True
    if target.revision:
        document["revisionName"] = target.revision.rsplit("/", 1)[-1]
    if target.tag:
        document["tag"] = target.tag
    return document


def _service_status(service: Message) -> dict[str, Any]:
    status = {
        "observedGeneration": service.observed_generation,
        "conditions": _service_conditions(service),
        "latestCreatedRevisionName": service.latest_created_revision.rsplit("/", 1)[-1],
        "latestReadyRevisionName": service.latest_ready_revision.rsplit("/", 1)[-1],
        "traffic": [
            _target(each) | ({"url": each.uri} if each.uri else {}) for each in service.traffic_statuses
        ],
        "url": service.uri,
        "address": {"url": service.uri},
    }
    return {key: value for key, value in status.items() if value}


def _service_conditions(service: Message) -> list[dict[str, Any]]:
    conditions = [_condition(each) for each in [service.terminal_condition, *service.conditions]]
    if service.reconciling:
        # The parts' conditions still tell of the change before; until this one ends nothing is known.
        return [{**each, "status": "Unknown"} for each in conditions]
    return conditions


def _condition(condition: Message) -> dict[str, Any]:
    document = {
        "type": condition.type_,
        "status": {SUCCEEDED: "True", FAILED: "False"}.get(condition.state, "Unknown"),
        "lastTransitionTime": condition.last_transition_time.ToJsonString(),
    }
    if condition.message:
        document["message"] = condition.message
    if condition.revision_reason:
        name = run_v2.Condition.RevisionReason(condition.revision_reason).name
        document["reason"] = name.title().replace("_", "")
    if condition.severity == _INFO:
        document["severity"] = "Info"
    return document
