"""Refuses what a container may not ask of Cloud Run: CPU, memory, ports and environment; pure.

Source: https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2#google.cloud.run.v2.Container
"""

from typing import Any

from .container import parse_quantity
from .errors import invalid, not_emulated
from .wire import Message

_GIB = 1024**3
# Least and most memory for each number of vCPUs, in GiB.
# Source: https://cloud.google.com/run/docs/configuring/services/cpu
_MEMORY_GIB = {1.0: (0.125, 4.0), 2.0: (0.125, 8.0), 4.0: (2.0, 16.0), 6.0: (4.0, 24.0), 8.0: (4.0, 32.0)}
_RESOURCES = {"cpu", "memory", "nvidia.com/gpu"}
_RESERVED_ENV = {"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"}
_MAX_ENV, _MAX_ENV_LENGTH = 1000, 32_768


def default_concurrency(template: Message) -> int:
    """Return how many requests at a time an instance takes unless told: one with less than one vCPU."""
    try:
        vcpus = [parse_quantity(container.resources.limits["cpu"]) for container in template.containers]
    except ValueError:
        return 80
    return 1 if any(each < 1 for each in vcpus) else 80


def check_resources(field: str, template: Message) -> None:
    """Refuse CPU and memory that Cloud Run does not offer, or not together."""
    limits = template.containers[0].resources.limits
    for key in limits:
        if key not in _RESOURCES:
            raise invalid(field, f"'{key}' is not one of {', '.join(sorted(_RESOURCES))}")
    if "nvidia.com/gpu" in limits:
        raise not_emulated("A GPU in a container's resources.limits")
    vcpus, memory_gib = (
        _checked_cpu(field, limits["cpu"]),
        _number(f"{field}.memory", limits["memory"]) / _GIB,
    )
    least, most = _MEMORY_GIB.get(vcpus) or (0.125, 0.5 if vcpus < 0.5 else 1.0)
    if not least <= memory_gib <= most:
        raise invalid(
            f"{field}.memory",
            f"'{limits['memory']}' does not go with {vcpus:g} vCPU: allowed are {least:g} to {most:g} GiB",
        )
    if vcpus < 1 and template.max_instance_request_concurrency > 1:
        raise invalid("service.template.max_instance_request_concurrency", "must be 1 with less than 1 vCPU")


def _checked_cpu(field: str, text: str) -> float:
    vcpus = _number(f"{field}.cpu", text)
    if vcpus in _MEMORY_GIB or 0.08 <= vcpus < 1:
        return vcpus
    raise invalid(f"{field}.cpu", f"'{text}' is neither 1, 2, 4, 6 or 8 vCPUs nor 0.08 to 1")


def _number(field: str, text: str) -> float:
    try:
        return parse_quantity(text)
    except ValueError as error:
        raise invalid(field, str(error)) from error


def check_ports(field: str, ports: Any) -> None:
    """Refuse more than one port, numbers that are no TCP port, and unknown protocols."""
    if len(ports) > 1:
        raise invalid(field, "at most one port is allowed")
    (port,) = ports
    if not 0 < port.container_port < 65_536:
        raise invalid(f"{field}[0].container_port", f"{port.container_port} is not between 1 and 65535")
    if port.name == "h2c":
        raise not_emulated("HTTP/2 to the container (port name h2c)")
    if port.name not in ("", "http1"):
        raise invalid(f"{field}[0].name", f"'{port.name}' is neither http1 nor h2c")


def check_probe_port(field: str, probe: Message) -> None:
    """Refuse a probe of what is no TCP port; 0 stands for the container's own."""
    kind = probe.WhichOneof("probe_type")
    if kind and not 0 <= getattr(probe, kind).port < 65_536:
        raise invalid(f"{field}.{kind}.port", "must be 1 to 65535")


def check_env(field: str, env: Any) -> None:
    """Refuse environment variables that Cloud Run sets itself, or that cannot be set."""
    if len(env) > _MAX_ENV:
        raise invalid(field, f"{len(env)} variables are more than {_MAX_ENV}")
    seen: set[str] = set()
    for variable in env:
        _check_variable(field, variable)
        if variable.name in seen:
            raise invalid(field, f"'{variable.name}' is given twice")
        seen.add(variable.name)


def _check_variable(field: str, variable: Message) -> None:
    name = variable.name
    if name in _RESERVED_ENV or name.startswith("X_GOOGLE_"):
        raise invalid(field, f"'{name}' is set by Cloud Run and cannot be set")
    if not name or "=" in name:
        raise invalid(field, f"'{name}' is empty or contains '='")
    if len(name) > _MAX_ENV_LENGTH or len(variable.value.encode()) > _MAX_ENV_LENGTH:
        raise invalid(field, f"name or value of '{name[:50]}' is longer than {_MAX_ENV_LENGTH}")
    if variable.HasField("value_source"):
        raise not_emulated(f"A secret as environment variable ({name})")
