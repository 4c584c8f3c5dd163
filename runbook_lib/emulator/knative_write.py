"""Reads a Knative Service, as clients of the v1 API write it, into a v2 service; pure."""

from collections.abc import Mapping
from typing import Any

from google.cloud import run_v2

from .errors import invalid, not_emulated
from .knative import API_VERSION
from .knative_annotations import SERVICE, TEMPLATE, is_system, write_annotations
from .transcoding import fill
from .validation import LATEST, PINNED
from .wire import Message

# Fields that the platform writes; clients send back what they read.
_METADATA_OUTPUT = {"selfLink", "uid", "generation", "creationTimestamp", "namespace"}
_METADATA = {"name", "labels", "annotations", "resourceVersion"} | _METADATA_OUTPUT
_REVISION_SPEC = {"containerConcurrency", "timeoutSeconds", "serviceAccountName", "containers"}
# Fields that exist; an empty one asks for nothing.
_NOT_EMULATED = {"enableServiceLinks", "imagePullSecrets", "nodeSelector", "runtimeClassName", "volumes"}
_TARGET = {"revisionName", "latestRevision", "percent", "tag", "url"}


def service_from(document: Mapping[str, Any], name: str) -> Message:
    """Return the v2 service that a Knative one asks for.

    Args:
        name: Full v2 name of the service.

    Raises:
        ApiError: INVALID_ARGUMENT for a field that does not exist, UNIMPLEMENTED for one not emulated.
    """
    _check_keys(document, {"apiVersion", "kind", "metadata", "spec", "status"}, "")
    if (document.get("apiVersion"), document.get("kind")) != (API_VERSION, "Service"):
        raise invalid("kind", f"must be Service of apiVersion {API_VERSION}")
    metadata, spec = _part(document, "metadata"), _part(document, "spec")
    _check_keys(metadata, _METADATA, "metadata")
    _check_keys(spec, {"template", "traffic"}, "spec")
    service = run_v2.Service.pb()(name=name, etag=str(metadata.get("resourceVersion", "")))
    service.labels.update(_own_labels(metadata, "metadata"))
    write_annotations(_texts(metadata, "annotations", "metadata"), service, SERVICE)
    _write_template(_part(spec, "template"), service.template)
    for index, target in enumerate(spec.get("traffic") or []):
        _write_target(target, service.traffic.add(), f"spec.traffic[{index}]")
    return service


def service_id(document: Mapping[str, Any]) -> str:
    """Return the name that a new service is to have."""
    return str(_part(document, "metadata").get("name", ""))


def _write_template(document: Mapping[str, Any], template: Message) -> None:
    _check_keys(document, {"metadata", "spec"}, "spec.template")
    metadata, spec = _part(document, "metadata"), _part(document, "spec")
    _check_keys(metadata, _METADATA, "spec.template.metadata")
    _check_keys(spec, _REVISION_SPEC | _NOT_EMULATED, "spec.template.spec")
    for key in _NOT_EMULATED:
        if spec.get(key):
            raise not_emulated(f"spec.template.spec.{key}")
    template.revision = metadata.get("name") or ""
    template.labels.update(_own_labels(metadata, "spec.template.metadata"))
    translated = {
        "containers": [_container(each) for each in spec.get("containers") or []],
        "serviceAccount": spec.get("serviceAccountName"),
        "maxInstanceRequestConcurrency": spec.get("containerConcurrency"),
        "timeout": f"{spec['timeoutSeconds']}s" if spec.get("timeoutSeconds") else None,
    }
    fill(template, {key: value for key, value in translated.items() if value}, "spec.template.spec")
    write_annotations(_texts(metadata, "annotations", "spec.template.metadata"), template, TEMPLATE)


def _container(document: Any) -> Any:
    """A Knative container is a v2 one in JSON, but for values taken from secrets and empty requests."""
    if not isinstance(document, dict):
        raise invalid("spec.template.spec.containers", "must hold objects")
    resources = dict(_part(document, "resources"))
    if resources.pop("requests", None):
        raise not_emulated("A container's resources.requests")
    for variable in document.get("env") or []:
        if isinstance(variable, dict) and "valueFrom" in variable:
            raise not_emulated(f"A secret as environment variable ({variable.get('name')})")
    return {**document, "resources": resources}


def _write_target(document: Any, target: Message, where: str) -> None:
    if not isinstance(document, dict):
        raise invalid(where, "must be an object")
    _check_keys(document, _TARGET, where)
    revision, latest = document.get("revisionName", ""), bool(document.get("latestRevision"))
    if latest == bool(revision):
        raise invalid(where, "needs either a revisionName or latestRevision: true")
    target.type_ = LATEST if latest else PINNED
    fill(
        target,
        {"revision": revision, "percent": document.get("percent", 0), "tag": document.get("tag", "")},
        where,
    )


def _own_labels(metadata: Mapping[str, Any], where: str) -> dict[str, str]:
    return {key: value for key, value in _texts(metadata, "labels", where).items() if not is_system(key)}


def _texts(metadata: Mapping[str, Any], key: str, where: str) -> Mapping[str, str]:
    texts = _part(metadata, key)
    for name, value in texts.items():
        if not isinstance(value, str):
            raise invalid(f"{where}.{key}", f"'{name}' must be a text: put it in quotes")
    return texts


def _part(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = document.get(key) or {}
    if not isinstance(part, dict):
        raise invalid(key, "must be an object")
    return part


def _check_keys(document: Mapping[str, Any], allowed: set[str], where: str) -> None:
    for key in document:
        if key not in allowed:
            path = f"{where}.{key}".lstrip(".")
            raise invalid(path, f'Invalid JSON payload received. Unknown name "{key}": no such field here')
