"""What a revision's container is: command, environment, probes and limits, read from image and template."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .catalogue import Image
from .names import RevisionId
from .wire import Message

DEFAULT_PORT = 8080
DEFAULT_MEMORY = "512Mi"
DEFAULT_TIMEOUT_S = 300
# Timeout (s), period (s) and failures of the start-up probe that Cloud Run adds: one attempt of 240 s.
DEFAULT_PROBE = (240, 240, 1)
_QUANTITY = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[KMGT]i?|k|m)?")
_UNITS = {"": 1.0, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_UNITS |= {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGT", start=1)}
# A container does not see the host's environment; a process needs at least these to find its interpreter.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How Cloud Run finds out how a container is.

    Attributes:
        name: What the platform's log calls it.
        http_path: Path to GET; None for the TCP probe.
    """

    name: str
    http_path: str | None
    http_headers: Mapping[str, str]
    initial_delay_s: float
    timeout_s: float
    period_s: float
    failure_threshold: int


@dataclass(frozen=True, kw_only=True)
class Container:
    """Everything that is needed to run one instance.

    Attributes:
        liveness: None when nobody asks a started container how it is.
        concurrency: Requests and connections that one instance takes at a time.
    """

    command: tuple[str, ...]
    cwd: str | None
    env: Mapping[str, str]
    port: int
    startup: Probe
    liveness: Probe | None
    memory_limit_bytes: float
    cpu_limit: float
    request_timeout_s: float
    concurrency: int


def describe_container(image: Image, template: Message, revision: RevisionId) -> Container:
    """Return the container of a template whose defaults are filled in."""
    container = template.containers[0]
    command = tuple(container.command) or image.command
    port = container.ports[0].container_port
    return Container(
        command=command + tuple(container.args),
        cwd=container.working_dir or image.cwd,
        env=_environment(image, container, revision),
        port=port,
        startup=_probe(_startup_name(container.startup_probe), container.startup_probe),
        liveness=_probe("LIVENESS HTTP", container.liveness_probe)
        if container.HasField("liveness_probe")
        else None,
        memory_limit_bytes=parse_quantity(container.resources.limits["memory"]),
        cpu_limit=parse_quantity(container.resources.limits["cpu"]),
        request_timeout_s=template.timeout.ToMilliseconds() / 1000,
        concurrency=template.max_instance_request_concurrency,
    )


def parse_quantity(text: str) -> float:
    """Read a Kubernetes quantity such as `512Mi` (bytes) or `500m` (CPUs).

    Raises:
        ValueError: If it is none.
    """
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(f"'{text}' is not a quantity such as 512Mi or 500m")
    return float(found["number"]) * _UNITS[found["unit"] or ""]


def _environment(image: Image, container: Message, revision: RevisionId) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    contract = {
        "K_SERVICE": revision.service,
        "K_REVISION": revision.revision,
        "K_CONFIGURATION": revision.service,
        "RUNBOOK_BIND": "127.0.0.1",
    }
    template = {variable.name: variable.value for variable in container.env}
    return {**inherited, **image.env, **template, **contract}


def _startup_name(probe: Message) -> str:
    if probe.HasField("http_get"):
        return "STARTUP HTTP"
    timing = (probe.timeout_seconds, probe.period_seconds, probe.failure_threshold)
    return "Default STARTUP TCP" if timing == DEFAULT_PROBE else "STARTUP TCP"


def _probe(name: str, probe: Message) -> Probe:
    return Probe(
        name=name,
        http_path=(probe.http_get.path or "/") if probe.HasField("http_get") else None,
        http_headers={header.name: header.value for header in probe.http_get.http_headers},
        initial_delay_s=probe.initial_delay_seconds,
        timeout_s=probe.timeout_seconds,
        period_s=probe.period_seconds,
        failure_threshold=probe.failure_threshold,
    )
