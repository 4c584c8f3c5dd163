"""Describes what runs in the emulator, as plain JSON for its own `status` command."""

from typing import Any

from .log_store import LogStore
from .state import Revision, RunState, Service


def status_document(state: RunState, logs: LogStore) -> dict[str, Any]:
    """Return services with revisions, traffic and process ids."""
    return {
        "services": [_service(service) for _, service in sorted(state.services.items())],
        "log_entries": len(logs),
        "log_entries_dropped": logs.dropped,
    }


def _service(service: Service) -> dict[str, Any]:
    return {
        "name": service.name,
        "uri": service.message.uri,
        "reconciling": service.message.reconciling,
        "revisions": [_revision(service, name, revision) for name, revision in service.revisions.items()],
    }


def _revision(service: Service, name: str, revision: Revision) -> dict[str, Any]:
    routes = [status for status in service.message.traffic_statuses if status.revision == name]
    return {
        "name": name,
        "image": revision.message.containers[0].image,
        "ready": revision.ready,
        "failure": revision.failure,
        "percent": sum(status.percent for status in routes),
        "tags": {status.tag: status.uri for status in routes if status.tag},
        "pids": [instance.pid for instance in revision.runtime.instances if instance.alive],
    }
