"""Encrypt one connection between a bare transport and a protocol, and resume the server's earlier sessions.

A load whose users come again resumes, as browsers do: certificate and signature are checked with the first
session, by the same context, and the later ones are bound to it. A ticket is used for a second: to take one
out of OpenSSL costs as much as the handshake that it saves.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass

from runbook_lib.agent.fast.wire import Speaker

_PIECE = 64 * 1024
_USED_FOR_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A session of the server's that later ones may resume. `taken_s` is on the monotonic clock."""

    session: ssl.SSLSession
    taken_s: float


class Encrypted(asyncio.Transport):
    """Speaks over the bare transport, and is a transport to what is spoken within.

    Args:
        plain: What is spoken within.
        context: The certificates to trust.
        host: Where.
        tickets: The last one that came from there by each context; this session's is added when that is old.
    """

    def __init__(
        self, plain: Speaker, context: ssl.SSLContext, host: str, tickets: dict[ssl.SSLContext, Ticket]
    ) -> None:
        self._plain, self._context, self._tickets = plain, context, tickets
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        ticket = tickets.get(context)
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=host, session=ticket.session if ticket else None
        )
        self._open = False
        self._error: Exception | None = None

    # What the bare transport calls.

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin the handshake."""
        self._transport = transport
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

    def not_connected(self, error: Exception) -> None:
        """Take that there was no connection."""
        self._plain.not_connected(error)

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
        return self._transport.abort()  # the server has ended its side

    def _keep(self) -> None:
        """Keep a new ticket where the last one is old: they come with the first data of the server."""
        last, now_s = self._tickets.get(self._context), time.monotonic()
        if last and now_s - last.taken_s < _USED_FOR_S:
            return
        if (session := self._tls.session) is not None and session.has_ticket:
            self._tickets[self._context] = Ticket(session=session, taken_s=now_s)

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
