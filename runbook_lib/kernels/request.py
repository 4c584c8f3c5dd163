"""What is asked of the fork server, as it goes over the socket."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

REQUEST_BYTES = 2**18


@dataclass(frozen=True, kw_only=True)
class Request:
    """A process to be: a kernel, or a whole run, whose own kernels are then forked by the same server.

    Attributes:
        arguments: Of `ipykernel_launcher`; of `runbook` for a run.
        cwd: The folder it works in.
        env: Its whole environment.
        output: File that a run writes to instead of a terminal; empty for a kernel.
    """

    arguments: list[str]
    cwd: str
    env: dict[str, str]
    output: str = ""

    def to_bytes(self) -> bytes:
        """Return it as one datagram."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def read(cls, datagram: bytes) -> Request:
        """Return what one datagram says."""
        return cls(**json.loads(datagram))
