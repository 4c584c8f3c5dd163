"""Encrypt one connection between a bare transport and a protocol, and resume the server's earlier sessions.

A load whose users come again resumes, as browsers do: certificate and signature are checked with the first
session, by the same context, and the later ones are bound to it.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Protocol, cast

_PIECE = 64 * 1024

Place = tuple[ssl.SSLContext, str, int]
"""Whose sessions may be resumed: the same certificates trusted, the same host and port."""


class Plain(Protocol):
    """What is spoken within: it is told of a connection once that is encrypted."""

    def connection_made(self, transport: asyncio.BaseTransport, /) -> None: ...
    def data_received(self, data: bytes, /) -> None: ...
    def connection_lost(self, error: Exception | None, /) -> None: ...
    def not_connected(self, error: Exception, /) -> None:
        """Take that it never was."""


class Encrypted(asyncio.Protocol, asyncio.Transport):
    """A protocol to the bare transport, and a transport to what is spoken within.

    Args:
        plain: What is spoken within.
        place: Where.
        resumable: The last session of each place; this one is added.
    """

    def __init__(self, plain: Plain, place: Place, resumable: dict[Place, ssl.SSLSession]) -> None:
        context, host, _ = place
        self._plain, self._place, self._resumable = plain, place, resumable
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=host, session=resumable.get(place)
        )
        self._open, self._kept = False, False
        self._error: Exception | None = None

    # What the bare transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self._shake_hands()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._incoming.write(data)
        if self._open or self._shake_hands():
            self._read()

    def connection_lost(self, error: Exception | None) -> None:
        """Take the end of the connection, however it came."""
        error = self._error or error
        if self._open:
            self._plain.connection_lost(error)
        else:
            self._plain.not_connected(error or ConnectionResetError("lost in the handshake of TLS"))

    def _shake_hands(self) -> bool:
        """Go on with the handshake; say whether it is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError as error:
            self._fail(error)
            return False
        self._open = True
        self._flush()
        self._plain.connection_made(self)
        return True

    def _read(self) -> None:
        try:
            while data := self._tls.read(_PIECE):
                self._plain.data_received(data)
        except ssl.SSLWantReadError:
            self._keep()
            return self._flush()
        except ssl.SSLError as error:
            return self._fail(error)
        return self._transport.close()  # the server has ended its side

    def _keep(self) -> None:
        """Keep the session for the next one, once: tickets come with the first data of the server."""
        if not self._kept and (session := self._tls.session) is not None and session.has_ticket:
            self._resumable[self._place], self._kept = session, True

    def _fail(self, error: Exception) -> None:
        self._error = error
        self._flush()  # the alert that says why
        self._transport.abort()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._transport.write(data)

    # What is called from within.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        self._tls.write(data)
        self._flush()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def can_write_eof(self) -> bool:
        """TLS ends both ways at once."""
        return False

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be sent."""
        return self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Let what comes wait."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Let it come again."""
        self._transport.resume_reading()
