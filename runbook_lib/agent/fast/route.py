"""Say where a URL leads, and keep what was learned on the way there."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from websockets.uri import WebSocketURI, parse_uri

from runbook_lib.agent.fast.handshake import beginning
from runbook_lib.agent.fast.tls import Encrypted, Ticket
from runbook_lib.agent.fast.wire import Address, Speaker


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where a URL leads.

    Attributes:
        beginning: What every request there begins with.
        addresses: Of the host; they are used in turn.
        accepted: What answers there looked like; see `handshake.is_ordinary`.
        tickets: The last one that came by each set of certificates.
    """

    uri: WebSocketURI
    beginning: str
    addresses: Sequence[Address]
    accepted: set[tuple[bytes, bytes, str]] = field(default_factory=set)
    tickets: dict[ssl.SSLContext, Ticket] = field(default_factory=dict)
    _turns: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    async def to(cls, url: str) -> Route:
        """Look a URL's host up.

        Raises:
            OSError: If it has no address.
        """
        uri = parse_uri(url)
        entries = await asyncio.get_running_loop().getaddrinfo(uri.host, uri.port, type=socket.SOCK_STREAM)
        addresses = dict.fromkeys(Address(family=entry[0], where=entry[4]) for entry in entries)
        return cls(uri=uri, beginning=beginning(uri), addresses=tuple(addresses))

    def from_next(self) -> Sequence[Address]:
        """Return the addresses, each time from another one on."""
        first = next(self._turns) % len(self.addresses)
        return (*self.addresses[first:], *self.addresses[:first]) if first else self.addresses

    def spoken(self, within: Speaker, tls: ssl.SSLContext | None) -> Speaker:
        """Return what speaks there for `within`: itself, or TLS around it."""
        return within if tls is None else Encrypted(within, tls, self.uri.host, self.tickets)
