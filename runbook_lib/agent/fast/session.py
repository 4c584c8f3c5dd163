"""Carry one session on a bare transport: frames are taken as they come, without a task or a queue between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.frames import Opcode
from websockets.uri import WebSocketURI

from runbook_lib.agent.conversation import Stop
from runbook_lib.agent.engine import (
    CLOSE_TIMEOUT_S,
    LISTEN_BEFORE_S,
    MAX_MESSAGE_BYTES,
    MOST_STRAYS,
    Call,
    reading,
)
from runbook_lib.agent.fast import handshake
from runbook_lib.agent.fast.book import Book
from runbook_lib.agent.fast.frames import CLOSE_NORMALLY, frame, read_texts
from runbook_lib.errors import HandshakeRejected, ProtocolViolation
from runbook_lib.ports import LISTEN_S, Answer

_LONGEST_HEAD = 16 * 1024
_CLOSED = ConnectionClosedOK(None, None)
# By the book at once: small pieces where they hold thousands of tiny frames, for other sessions are waiting.
_SMALL_PIECE, _LARGE_PIECE = 4 * 1024, 256 * 1024


class FastSession(asyncio.Protocol):
    """A session; implements `ports.ChatSession`.

    Args:
        call: What is opened.
        uri: Its URL.
        loop: Where it lives.

    Attributes:
        opened: Done when the session is open and greeted, or fails with why it is not.
    """

    def __init__(self, call: Call, uri: WebSocketURI, loop: asyncio.AbstractEventLoop) -> None:
        self._call, self._uri, self._loop, self._conversation = call, uri, loop, call.conversation
        self._key = handshake.new_key()
        self._request = handshake.request(call, uri, self._key)
        self._accepted, self._greeted, self._used, self._closing = False, call.greeting is None, False, False
        self._held = b""
        self._book: Book | None = None
        self._ended: ConnectionClosed | None = None
        self._sent_s, self._strays = 0.0, 0
        self._waiting: asyncio.Future[None] | None = None
        self._enough: Callable[[], bool] | None = None
        self.opened: asyncio.Future[None] = loop.create_future()

    @property
    def session_id(self) -> str:
        """The session's id, as the greeting or the first event gave it."""
        return self._conversation.session_id

    @property
    def user_id(self) -> str:
        """The user's id, in the same way."""
        return self._conversation.user_id

    @property
    def revision(self) -> str:
        """The revision that the greeting named."""
        return self._conversation.revision

    async def chat(self, content: str, agent: str, listen_s: float = LISTEN_S) -> Answer:
        """Send one message and collect its answer; what goes wrong is told in it, not raised."""
        if not self._used:  # later on it has been listening all the time
            self._used = True
            await self._wait(LISTEN_BEFORE_S)
        stop, detail = await self._exchange(content, agent, self._is_answered)
        if self._conversation.ended and listen_s > 0:
            # A final event that is sent twice shows only to somebody who goes on listening for a moment.
            await self._wait(listen_s)
        return self._conversation.answer(stop, detail)

    async def drop(self, content: str, agent: str) -> Answer:
        """Send one message, and when its answer has begun vanish without a word, as a lost network does."""
        stop, detail = await self._exchange(content, agent, lambda: bool(self._conversation.events))
        self._transport.abort()
        return self._conversation.answer(stop or "closed", detail or "dropped on purpose")

    async def close(self) -> None:
        """Close it; never raises."""
        if self._ended is None and not (self._book and self._book.complaint):
            self._closing = True
            if self._book:
                self._book.close()
                self._flush(self._book)
            else:
                self._transport.write(frame(Opcode.CLOSE, CLOSE_NORMALLY))
            await self._wait(CLOSE_TIMEOUT_S)
        self._transport.abort()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._book is not None:
            self._held += data
            self._piece_by_piece(self._book)
        elif not self._closing:  # after that, only its end is awaited
            self._quickly(self._held + data if self._held else data)

    def connection_lost(self, error: Exception | None) -> None:
        """Take the end of the connection, however it came."""
        if self._closing and self._book is None:  # as it should
            self._ended = _CLOSED
            return self._wake()
        book, rest, self._held = self._book or self._open_book(), self._held, b""
        if rest:
            self._by_the_book(book, rest)
        self._by_the_book(book, b"")
        if not self._accepted:
            return self._fail(book.refusal or error or ConnectionResetError("lost in the handshake"))
        self._ended = book.closed()
        self._fail(self._call.lost(self._ended))
        return self._wake()

    # The ordinary way.

    def _quickly(self, data: bytes) -> None:
        """Take ordinary frames; from the first odd one on go by the book."""
        if not self._accepted:
            end = data.find(b"\r\n\r\n")
            if end < 0 and handshake.may_be_ordinary(data) and len(data) <= _LONGEST_HEAD:
                self._held = data
                return
            subprotocol = self._call.subprotocols[0] if self._call.subprotocols else ""
            if not handshake.is_ordinary(data[: max(end, 0)], self._key, subprotocol):
                self._held = data
                self._piece_by_piece(self._open_book())
                return
            self._accept()
            data = data[end + 4 :]
        read = read_texts(data)
        self._held = read.rest
        for text in read.texts:
            self._take(text)
        if read.odd:
            self._piece_by_piece(self._open_book())

    def _accept(self) -> None:
        self._accepted = True
        if self._greeted:
            self._succeed()

    def _take(self, message: str | bytes) -> None:
        if not self._greeted:
            return self._greet(message)
        if self._conversation.ended:
            self._strays += 1
            if self._strays > MOST_STRAYS:
                return self._transport.pause_reading()
        self._conversation.feed(message, time.monotonic() - self._sent_s)
        return self._wake() if self._enough and self._enough() else None

    def _greet(self, message: str | bytes) -> None:
        try:
            self._conversation.begin(message)
        except ProtocolViolation as violation:
            return self._fail(violation)
        self._greeted = True
        return self._succeed()

    # By the book.

    def _open_book(self) -> Book:
        self._book = Book(self._uri, self._call.subprotocols, None if self._accepted else self._key)
        return self._book

    def _piece_by_piece(self, book: Book) -> None:
        if book.complaint:
            self._held = b""  # nobody reads what follows
        size = _SMALL_PIECE if book.crowded else _LARGE_PIECE
        piece, self._held = self._held[:size], self._held[size:]
        if piece:
            self._by_the_book(book, piece)
        if self._held and self._ended is None:
            self._transport.pause_reading()
            self._loop.call_soon(self._piece_by_piece, book)
        elif self._strays <= MOST_STRAYS:
            self._transport.resume_reading()

    def _by_the_book(self, book: Book, data: bytes) -> None:
        messages = list(book.receive(data))
        self._flush(book)
        if not self._accepted and not self._accepts(book):
            return
        for message in messages:
            self._take(message)
        self._flush(book)
        if book.complaint:
            self._wake()

    def _accepts(self, book: Book) -> bool:
        """Say whether the handshake was accepted by now; fail where it was refused."""
        if book.refusal or not book.opened:
            if book.refusal:
                self._fail(book.refusal)
            return False
        try:
            self._call.check_subprotocol(book.subprotocol)
        except HandshakeRejected as rejected:
            self._fail(rejected)
            return False
        self._accept()
        return True

    def _flush(self, book: Book) -> None:
        for data in book.to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                with suppress(OSError):
                    self._transport.write_eof()
        if self._transport.get_write_buffer_size() > MAX_MESSAGE_BYTES:  # it asks, and does not listen
            self._transport.abort()

    # Waiting.

    def _is_answered(self) -> bool:
        return self._conversation.ended

    async def _exchange(
        self, content: str, agent: str, enough: Callable[[], bool]
    ) -> tuple[Stop | None, str]:
        message = self._conversation.send(content, agent).encode()
        self._sent_s, self._enough = time.monotonic(), enough
        if self._book and self._book.ending:
            await self._wait(CLOSE_TIMEOUT_S)  # for the connection's end, which says more
        elif self._ended is None:
            if self._strays > MOST_STRAYS:
                self._transport.resume_reading()
            self._strays = 0
            self._transport.write(frame(Opcode.TEXT, message))
            await self._wait(self._call.answer_timeout_s)
        self._enough = None
        return self._outcome(enough())

    def _outcome(self, enough: bool) -> tuple[Stop | None, str]:
        if enough:
            return None, ""
        if self._book and (complaint := self._book.complaint):
            return "protocol_violation", complaint
        if self._ended:
            return reading(self._ended)
        if self._book and self._book.ending:
            return "closed", "the server ended the session, and left the connection open"
        return "answer_timeout", f"the final event did not come within {self._call.answer_timeout_s:g} s"

    async def _wait(self, seconds: float) -> None:
        """Wait so long, or until somebody wakes us."""
        if self._ended:
            return
        self._waiting = waiting = self._loop.create_future()
        timer = self._loop.call_later(seconds, _resolve, waiting)
        try:
            await waiting
        finally:
            timer.cancel()
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting:
            _resolve(self._waiting)

    def _succeed(self) -> None:
        _resolve(self.opened)

    def _fail(self, error: Exception) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
