"""Say what carries a session's bytes, and carry them by the event loop's own transports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a socket connects to, as `getaddrinfo` says it.

    Attributes:
        family: Of the socket, e.g. `socket.AF_INET`.
        where: What it connects to: host and port, and more by IPv6.
    """

    family: int
    where: tuple[Any, ...]


class Speaker(Protocol):
    """What speaks over a connection."""

    def connection_made(self, transport: asyncio.Transport, /) -> None:
        """Begin: what is written reaches the other side once there is a connection."""

    def data_received(self, data: bytes, /) -> None:
        """Take what came."""

    def connection_lost(self, error: Exception | None, /) -> None:
        """Take the end of the connection, however it came."""

    def not_connected(self, error: Exception, /) -> None:
        """Take that it never was."""


class Timer(Protocol):
    """A call to come."""

    def cancel(self) -> None:
        """Do not call."""


class Connection(Protocol):
    """A connection, or one to be."""

    def abort(self) -> None:
        """End it at once."""


class Wire(Protocol):
    """Connects, and calls later; an event loop has one.

    Attributes:
        loop: The event loop.
    """

    loop: asyncio.AbstractEventLoop

    def connect(self, speaker: Speaker, addresses: Sequence[Address]) -> Connection:
        """Connect to the first of some addresses that takes it; the speaker hears of it."""
        ...

    def call_later(self, delay_s: float, callback: Callable[..., object], *args: object) -> Timer:
        """Call after so many seconds, at the earliest."""
        ...

    def close(self) -> None:
        """End all connections at once."""
        ...


class LoopWire:
    """Implements `Wire` by what every event loop has."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.call_later = loop.call_later
        self._connections: set[_LoopConnection] = set()

    def connect(self, speaker: Speaker, addresses: Sequence[Address]) -> Connection:
        """Connect in a task of its own, so that who waits for the session can give it up."""
        connection = _LoopConnection(self.loop, speaker, addresses, self._connections.discard)
        self._connections.add(connection)
        return connection

    def close(self) -> None:
        """End all connections at once."""
        for connection in tuple(self._connections):
            connection.abort()


class _LoopConnection(asyncio.Protocol):
    """A connection, or one to be; stands between a speaker and a transport of the loop.

    Args:
        forget: Called with itself once it has ended.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        speaker: Speaker,
        addresses: Sequence[Address],
        forget: Callable[[_LoopConnection], None],
    ) -> None:
        self._speaker: Speaker | None = speaker
        self._forget = forget
        self._transport: asyncio.Transport | None = None
        self._connecting = loop.create_task(self._connect(loop, addresses))

    def abort(self) -> None:
        """End it at once."""
        self._connecting.cancel()
        if self._transport is None:
            self._end()
        else:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the speaker begin."""
        self._transport = cast("asyncio.Transport", transport)
        if self._speaker is not None:
            self._speaker.connection_made(self._transport)

    def data_received(self, data: bytes) -> None:
        """Hand over what came."""
        if self._speaker is not None:
            self._speaker.data_received(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell of the end."""
        if speaker := self._end():
            speaker.connection_lost(error)

    async def _connect(self, loop: asyncio.AbstractEventLoop, addresses: Sequence[Address]) -> None:
        failed: Exception = OSError("no address")
        for address in addresses:
            host, port = address.where[:2]
            try:
                await loop.create_connection(lambda: self, host, port)
            except Exception as error:
                failed = error
            else:
                return
        if speaker := self._end():
            speaker.not_connected(failed)

    def _end(self) -> Speaker | None:
        """Return who has to hear of the end; it keeps its connection, and is kept no more."""
        self._forget(self)
        speaker, self._speaker = self._speaker, None
        return speaker
