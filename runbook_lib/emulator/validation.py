"""Fills in a service's defaults and refuses what Cloud Run would refuse."""

from typing import Any

from google.api.launch_stage_pb2 import LaunchStage
from google.cloud import run_v2

from .container import DEFAULT_MEMORY, DEFAULT_PORT, DEFAULT_PROBE, DEFAULT_TIMEOUT_S
from .container_rules import (
    check_env,
    check_ports,
    check_probe_port,
    check_resources,
    default_concurrency,
)
from .errors import invalid, not_emulated
from .names import check_revision_id, check_tag
from .wire import Message

MAX_TIMEOUT_S = 3600
MAX_CONCURRENCY = 1000
_STARTUP_MAX_S, _LIVENESS_MAX_S = 240, 3600
LATEST = int(run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST)
MANUAL = int(run_v2.ServiceScaling.ScalingMode.MANUAL)
PINNED = int(run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION)
_MAX_DESCRIPTION = 512
# A tag's host name is TAG---SERVICE-…, and a part of a host name has at most 63 characters.
_MAX_TAG_AND_SERVICE = 46
_LAUNCH_STAGES = {name: LaunchStage.Value(name) for name in ("ALPHA", "BETA", "GA")}
_RESERVED_KEYS = (
    "run.googleapis.com",
    "cloud.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
)


def fill_defaults(service: Message) -> None:
    """Write the values that Cloud Run writes where the caller left them out."""
    service.launch_stage = service.launch_stage or LaunchStage.Value("GA")
    service.ingress = service.ingress or int(run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL)
    if not service.traffic:
        service.traffic.add(type_=LATEST, percent=100)
    template = service.template
    if not template.HasField("timeout"):
        template.timeout.seconds = DEFAULT_TIMEOUT_S
    if not template.scaling.max_instance_count:
        template.scaling.max_instance_count = 100
    for container in template.containers:
        _fill_container(container)
    if not template.max_instance_request_concurrency:
        template.max_instance_request_concurrency = default_concurrency(template)


def _fill_container(container: Message) -> None:
    if not container.ports:
        container.ports.add(name="http1", container_port=DEFAULT_PORT)
    limits = container.resources.limits
    for key, value in (("cpu", "1000m"), ("memory", DEFAULT_MEMORY)):
        if key not in limits:
            limits[key] = value
    probe = container.startup_probe
    if not probe.WhichOneof("probe_type"):
        probe.tcp_socket.port = container.ports[0].container_port
        timeout_s, period_s, failures = DEFAULT_PROBE
        probe.timeout_seconds = probe.timeout_seconds or timeout_s
        probe.period_seconds = probe.period_seconds or period_s
        probe.failure_threshold = probe.failure_threshold or failures
    _fill_probe(probe)
    if container.HasField("liveness_probe"):
        _fill_probe(container.liveness_probe)


def _fill_probe(probe: Message) -> None:
    probe.timeout_seconds = probe.timeout_seconds or 1
    probe.period_seconds = probe.period_seconds or 10
    probe.failure_threshold = probe.failure_threshold or 3


def check_service(service_id: str, service: Message) -> None:
    """Refuse an invalid service whose defaults are filled in.

    Raises:
        ApiError: INVALID_ARGUMENT with the field, or UNIMPLEMENTED for what is not emulated.
    """
    if len(service.description) > _MAX_DESCRIPTION:
        raise invalid("service.description", f"is longer than {_MAX_DESCRIPTION} characters")
    if service.launch_stage not in _LAUNCH_STAGES.values():
        raise invalid("service.launch_stage", f"must be one of {', '.join(_LAUNCH_STAGES)}")
    _check_keys("service.labels", service.labels)
    _check_keys("service.annotations", service.annotations)
    _check_scaling(service)
    _check_template(service_id, service.template)
    _check_traffic(service_id, service.traffic)


def _check_traffic(service_id: str, traffic: Any) -> None:
    """Refuse percentages that do not sum to 100, and targets that contradict themselves."""
    tags: set[str] = set()
    for index, target in enumerate(traffic):
        field = f"service.traffic[{index}]"
        _check_target(field, target)
        if target.tag:
            check_tag(f"{field}.tag", target.tag)
            if len(service_id) + len(target.tag) > _MAX_TAG_AND_SERVICE:
                raise invalid(
                    f"{field}.tag",
                    f"'{target.tag}' and '{service_id}' together are longer than {_MAX_TAG_AND_SERVICE}",
                )
            if target.tag in tags:
                raise invalid(f"{field}.tag", f"'{target.tag}' is used by more than one target")
            tags.add(target.tag)
    total = sum(target.percent for target in traffic)
    if total != 100:
        raise invalid("service.traffic", f"percentages must sum to 100, these sum to {total}")


def _check_target(field: str, target: Message) -> None:
    if not 0 <= target.percent <= 100:
        raise invalid(f"{field}.percent", f"{target.percent} is not between 0 and 100")
    if target.type_ not in (LATEST, PINNED):
        raise invalid(f"{field}.type", "must be LATEST or REVISION")
    if target.type_ == PINNED and not target.revision:
        raise invalid(f"{field}.revision", "is required when the type is REVISION")
    if target.type_ == LATEST and target.revision:
        raise invalid(f"{field}.revision", "must be empty when the type is LATEST")


def _check_scaling(service: Message) -> None:
    """Source: https://cloud.google.com/run/docs/configuring/min-instances and …/max-instances."""
    if service.scaling.scaling_mode == MANUAL or service.scaling.HasField("manual_instance_count"):
        raise not_emulated("Manual scaling (service.scaling.scaling_mode)")
    for field, scaling in (
        ("service.scaling", service.scaling),
        ("service.template.scaling", service.template.scaling),
    ):
        least, most = scaling.min_instance_count, scaling.max_instance_count
        if least < 0 or most < 0:
            raise invalid(field, "counts of instances cannot be negative")
        if most and least > most:
            raise invalid(f"{field}.min_instance_count", f"{least} is above max_instance_count, {most}")


def _check_template(service_id: str, template: Message) -> None:
    _check_keys("service.template.labels", template.labels)
    _check_keys("service.template.annotations", template.annotations)
    if template.revision:
        check_revision_id("service.template.revision", service_id, template.revision)
    if not 0 < template.timeout.ToMilliseconds() <= MAX_TIMEOUT_S * 1000:
        raise invalid("service.template.timeout", f"must be above 0 s and at most {MAX_TIMEOUT_S} s")
    if not 0 < template.max_instance_request_concurrency <= MAX_CONCURRENCY:
        raise invalid("service.template.max_instance_request_concurrency", f"must be 1 to {MAX_CONCURRENCY}")
    if template.session_affinity:
        raise not_emulated("Session affinity (service.template.session_affinity)")
    if not template.containers:
        raise invalid("service.template.containers", "needs a container")
    if len(template.containers) > 1:
        raise not_emulated("A second container (sidecar) in service.template.containers")
    _check_container(template)


def _check_container(template: Message) -> None:
    field, container = "service.template.containers[0]", template.containers[0]
    if not container.image:
        raise invalid(f"{field}.image", "is required")
    check_ports(f"{field}.ports", container.ports)
    check_resources(f"{field}.resources.limits", template)
    check_env(f"{field}.env", container.env)
    check_probe_port(f"{field}.startup_probe", container.startup_probe)
    _check_startup_probe(f"{field}.startup_probe", container.startup_probe)
    if container.HasField("liveness_probe"):
        check_probe_port(f"{field}.liveness_probe", container.liveness_probe)
        _check_liveness_probe(f"{field}.liveness_probe", container.liveness_probe)
    if container.HasField("readiness_probe"):
        raise not_emulated(f"A readiness probe ({field}.readiness_probe)")


def _check_startup_probe(field: str, probe: Message) -> None:
    _check_probe(field, probe, _STARTUP_MAX_S)
    if probe.failure_threshold * probe.period_seconds > _STARTUP_MAX_S:
        raise invalid(field, f"failure_threshold times period_seconds must not exceed {_STARTUP_MAX_S} s")


def _check_liveness_probe(field: str, probe: Message) -> None:
    _check_probe(field, probe, _LIVENESS_MAX_S)
    if probe.WhichOneof("probe_type") != "http_get":
        raise invalid(field, "must have http_get or grpc: Cloud Run has no liveness probe by TCP")


def _check_probe(field: str, probe: Message, at_most_s: int) -> None:
    """Source: https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2#probe."""
    if probe.WhichOneof("probe_type") == "grpc":
        raise not_emulated(f"A gRPC probe ({field})")
    if probe.timeout_seconds > probe.period_seconds:
        raise invalid(f"{field}.timeout_seconds", "must not exceed period_seconds")
    if not 0 <= probe.initial_delay_seconds <= at_most_s:
        raise invalid(f"{field}.initial_delay_seconds", f"must be 0 to {at_most_s}")
    if not 1 <= probe.period_seconds <= at_most_s:
        raise invalid(f"{field}.period_seconds", f"must be 1 to {at_most_s}")
    if probe.timeout_seconds < 1:
        raise invalid(f"{field}.timeout_seconds", "must be at least 1")
    if probe.failure_threshold < 1:
        raise invalid(f"{field}.failure_threshold", "must be at least 1")


def _check_keys(field: str, mapping: Any) -> None:
    for key in mapping:
        if key.split("/")[0].endswith(_RESERVED_KEYS):
            raise invalid(field, f"'{key}' is in a namespace that the v2 API keeps for itself")
