"""Go by the book where the fast way does not lead: websockets' own protocol, which does no I/O either."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from runbook_lib.agent.engine import MAX_MESSAGE_BYTES, complaint

_MOST_FRAGMENTS = 4096
_TINY = 64  # bytes
# At debug level websockets logs every header, and the token with them.
_SILENT = logging.Logger("runbook.fast", logging.WARNING)


class Book:
    """Reads one connection from any point on.

    Args:
        uri: Where it leads.
        subprotocols: What was offered.
        key: The handshake's key while its answer is awaited; None once it was accepted.
    """

    def __init__(self, uri: WebSocketURI, subprotocols: tuple[str, ...], key: str | None) -> None:
        self._protocol = ClientProtocol(
            uri, subprotocols=[Subprotocol(each) for each in subprotocols] or None,
            state=State.OPEN if key is None else State.CONNECTING,
            max_size=MAX_MESSAGE_BYTES, logger=_SILENT,
        )  # fmt: skip
        if key is not None:
            self._protocol.key = key
        self._fragments: list[Frame] = []
        self._frame_bytes = 0.0

    @property
    def opened(self) -> bool:
        """Whether the handshake was accepted."""
        return self._protocol.state is not State.CONNECTING

    @property
    def refusal(self) -> Exception | None:
        """Why the handshake was not; None as long as it may be."""
        return self._protocol.handshake_exc

    @property
    def subprotocol(self) -> str | None:
        """What the server selected."""
        return self._protocol.subprotocol

    @property
    def complaint(self) -> str:
        """What was wrong with a frame that could not be read; empty where all could."""
        return complaint(self._protocol)

    @property
    def ending(self) -> bool:
        """Whether either side has begun to close, or has to."""
        return self._protocol.state in (State.CLOSING, State.CLOSED)

    @property
    def crowded(self) -> bool:
        """Whether what came last was many tiny frames, or nothing came yet: then small pieces are better."""
        return self._frame_bytes < _TINY

    def receive(self, data: bytes) -> Iterator[str | bytes]:
        """Take what came, nothing at the end of the stream, and yield the whole messages in it."""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        events = self._protocol.events_received()
        self._frame_bytes = len(data) / max(1, len(events))
        try:
            for event in events:
                if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                    self._fragments.append(event)
                    if len(self._fragments) > _MOST_FRAGMENTS:
                        self._protocol.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
                        return
                    if event.fin:
                        yield self._message()
        except UnicodeDecodeError as error:  # what follows is not read either
            self._protocol.fail(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")

    def close(self) -> None:
        """Begin to close."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)

    def closed(self) -> ConnectionClosed:
        """Return how a connection that has ended did."""
        return self._protocol.close_exc

    def to_send(self) -> Iterator[bytes]:
        """Yield what has to be sent; nothing in it means the end of what we send."""
        yield from self._protocol.data_to_send()

    def _message(self) -> str | bytes:
        fragments, self._fragments = self._fragments, []
        payload = b"".join(bytes(each.data) for each in fragments)
        return payload if fragments[0].opcode is Opcode.BINARY else payload.decode()
