"""What is asked of the fork server, as it goes over the socket."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

REQUEST_BYTES = 2**18


@dataclass(frozen=True, kw_only=True)
class Request:
    """A kernel to be.

    Attributes:
        arguments: Of `ipykernel_launcher`.
        cwd: The folder it works in.
        env: Its whole environment.
    """

    arguments: list[str]
    cwd: str
    env: dict[str, str]

    def to_bytes(self) -> bytes:
        """Return it as one datagram."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def read(cls, datagram: bytes) -> Request:
        """Return what one datagram says."""
        return cls(**json.loads(datagram))
