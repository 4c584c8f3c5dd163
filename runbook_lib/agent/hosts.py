"""Say which hosts may be loaded: this machine, and those that the plan names."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from runbook_lib.errors import RunRefused


def refuse_strangers(url: str, allow_hosts: tuple[str, ...]) -> None:
    """Refuse to load a host that is not this machine, unless the plan allows it or its service.

    Raises:
        RunRefused: If the plan does not.
    """
    host = urlsplit(url).hostname or ""
    service = host.rpartition("---")[2]  # Cloud Run's tag URLs are TAG---SERVICE
    if not (_is_this_machine(host) or {host, service} & set(allow_hosts)):
        raise RunRefused(f"load on {host} is refused: add {service} to probes.load.allow_hosts of the plan")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
