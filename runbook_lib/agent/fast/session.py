"""Carry one session on a wire: frames are taken as they come, without a task or a queue between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import TypeVar, TypeVarTuple

from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.frames import Opcode

from runbook_lib.agent.chat import Chat
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
from runbook_lib.agent.fast.route import Route
from runbook_lib.agent.fast.wire import Timer, Wire
from runbook_lib.errors import HandshakeRejected, ProtocolViolation
from runbook_lib.ports import LISTEN_S

_LONGEST_HEAD = 16 * 1024
_CLOSED = ConnectionClosedOK(None, None)
# By the book at once: small pieces where they hold thousands of tiny frames, for other sessions are waiting.
_SMALL_PIECE, _LARGE_PIECE = 4 * 1024, 256 * 1024

_Session = TypeVar("_Session", bound="FastSession")
_Args = TypeVarTuple("_Args")


def guarded(act: Callable[[_Session, *_Args], None]) -> Callable[[_Session, *_Args], None]:
    """Tell the one who waits of a mistake of ours in `act`, which a wire or a timer calls: they could not."""

    @wraps(act)
    def guarding(session: _Session, *args: *_Args) -> None:
        try:
            act(session, *args)
        except Exception as error:
            session.go_wrong(error)

    return guarding


class FastSession(Chat):
    """A session; implements `ports.ChatSession`.

    Args:
        call: What is opened.
        route: Where that leads.
        wire: What carries it.
    """

    def __init__(self, call: Call, route: Route, wire: Wire) -> None:
        super().__init__(call.conversation)
        self._call, self._route, self._wire = call, route, wire
        self._key = handshake.new_key()
        self._request = handshake.request(call, route.beginning, self._key)
        self._greeted = call.target.greeting is None
        self._open, self._accepted, self._asked, self._closing = False, False, False, False
        self._held = b""
        self._book: Book | None = None
        self._ended: ConnectionClosed | None = None
        self._sent_s, self._strays = 0.0, 0
        self._waiting: asyncio.Future[None] | None = None
        self._timer: Timer | None = None
        self._awaits, self._until_begun, self._listen_s = False, False, LISTEN_S

    async def open(self) -> None:
        """Connect; the greeting, if there is one, has come. For errors see `engine.Engine`."""
        opened = self._awaited()
        self._connect()
        try:
            await opened
        except BaseException:
            self._connection.abort()
            raise
        finally:
            self._rest()

    async def close(self) -> None:
        """Close it; never raises."""
        if self._owes_goodbye():
            ended = self._awaited()
            self._say_goodbye()
            try:
                await ended
            finally:
                self._rest()
        self._vanish()

    # What the transport calls.

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Send the handshake."""
        self._transport = transport
        self._transport.write(self._request)

    @guarded
    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._book is not None:
            self._held += data
            self._piece_by_piece(self._book)
        elif not self._closing:  # after that, only its end is awaited
            self._quickly(self._held + data if self._held else data)

    @guarded
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

    def not_connected(self, error: Exception) -> None:
        """Take that there was no connection."""
        self._fail(error)

    # The ordinary way.

    def _quickly(self, data: bytes) -> None:
        """Take ordinary frames; from the first odd one on go by the book."""
        if not self._accepted:
            end = data.find(b"\r\n\r\n")
            if end < 0 and handshake.may_be_ordinary(data) and len(data) <= _LONGEST_HEAD:
                self._held = data
                return
            subprotocol = self._call.subprotocols[0] if self._call.subprotocols else ""
            if not handshake.is_ordinary(data[: max(end, 0)], self._key, subprotocol, self._route.accepted):
                self._held = data
                self._piece_by_piece(self._open_book())
                return
            self._accept()
            data = data[end + 4 :]
        texts, self._held, odd = read_texts(data)
        self._take_all(texts)
        if odd:
            self._piece_by_piece(self._open_book())

    def _accept(self) -> None:
        self._accepted = True
        if self._greeted:
            self._succeed()

    def _take_all(self, texts: list[str]) -> None:
        taken = 0
        if self._awaits and texts:
            taken = self._conversation.feed_until_end(texts, time.monotonic() - self._sent_s)
            if self._has_enough():
                self._listen_on()
        for text in texts[taken:]:
            self._take(text)

    def _take(self, message: str | bytes) -> None:
        if not self._greeted:
            return self._greet(message)
        if self._conversation.ended:
            self._strays += 1
            if self._strays > MOST_STRAYS:
                return self._transport.pause_reading()
        self._conversation.feed(message, time.monotonic() - self._sent_s)
        return self._listen_on() if self._awaits and self._has_enough() else None

    def _greet(self, message: str | bytes) -> None:
        try:
            self._conversation.begin(message)
        except ProtocolViolation as violation:
            return self._fail(violation)
        self._greeted = True
        return self._succeed()

    # By the book.

    def _open_book(self) -> Book:
        self._book = Book(self._route.uri, self._call.subprotocols, None if self._accepted else self._key)
        return self._book

    @guarded
    def _piece_by_piece(self, book: Book) -> None:
        if book.complaint:
            self._held = b""  # nobody reads what follows
        size = _SMALL_PIECE if book.crowded else _LARGE_PIECE
        piece, self._held = self._held[:size], self._held[size:]
        if piece:
            self._by_the_book(book, piece)
        if self._held and self._ended is None:
            self._transport.pause_reading()
            self._wire.loop.call_soon(self._piece_by_piece, book)
        elif self._strays <= MOST_STRAYS:
            self._transport.resume_reading()

    def _by_the_book(self, book: Book, data: bytes) -> None:
        messages = list(book.receive(data))
        self._flush(book)
        if not self._accepted and not self._accepts(book):
            return
        if not self._closing:  # what comes after our goodbye is nobody's
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

    async def _exchange(
        self, content: str, agent: str, listen_s: float, *, until_begun: bool = False
    ) -> tuple[Stop | None, str]:
        self._listen_s, self._until_begun = listen_s, until_begun
        answered = self._awaited()
        if self._asked:  # it has been listening all the time
            self._ask(content, agent)
        else:
            self._ask_first(content, agent)
        try:
            await answered
        finally:
            self._rest()
        return self._outcome()

    def _ask_first(self, content: str, agent: str) -> None:
        """Listen first: nothing should come before the first message."""
        self._timer = self._wire.call_later(LISTEN_BEFORE_S, self._ask, content, agent)

    @guarded
    def _ask(self, content: str, agent: str) -> None:
        """Send the message; from now on, what comes may wake the one who waits for its answer."""
        self._asked = self._awaits = True
        message = self._conversation.send(content, agent)
        self._sent_s, limit_s = time.monotonic(), self._call.target.answer_timeout_s
        if self._ended:
            return self._wake()
        if self._book and self._book.ending:
            limit_s = CLOSE_TIMEOUT_S  # for the connection's end, which says more
        else:
            if self._strays > MOST_STRAYS:
                self._transport.resume_reading()
            self._strays = 0
            self._transport.write(frame(Opcode.TEXT, message.encode()))
        self._timer = self._wire.call_later(limit_s, self._wake)
        return None

    def _listen_on(self) -> None:
        """There is enough: wait no more, but for what should not come."""
        self._awaits = False
        if self._listen_s > 0:
            self._cancel_timer()
            self._timer = self._wire.call_later(self._listen_s, self._heard_out)
        else:
            self._wake()

    def _heard_out(self) -> None:
        """Listen no more."""
        self._wake()

    def _owes_goodbye(self) -> bool:
        """Say whether the server has to be told that the session ends."""
        return self._ended is None and not self._closing and not (self._book and self._book.complaint)

    def _say_goodbye(self) -> None:
        """Begin to close; the end wakes the one who waits."""
        self._closing = True
        if self._book:
            self._book.close()
            self._flush(self._book)
        else:
            self._transport.write(frame(Opcode.CLOSE, CLOSE_NORMALLY))
        self._timer = self._wire.call_later(CLOSE_TIMEOUT_S, self._wake)

    def _has_enough(self) -> bool:
        return self._conversation.ended or (self._until_begun and bool(self._conversation.events))

    def _outcome(self) -> tuple[Stop | None, str]:
        if self._has_enough():
            return None, ""
        if self._book and (complaint := self._book.complaint):
            return "protocol_violation", complaint
        if self._ended:
            return reading(self._ended)
        if self._book and self._book.ending:
            return "closed", "the server ended the session, and left the connection open"
        limit_s = self._call.target.answer_timeout_s
        return "answer_timeout", f"the final event did not come within {limit_s:g} s"

    def _cancel_timer(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _vanish(self) -> None:
        self._transport.abort()

    def _connect(self) -> None:
        target = self._call.target
        self._timer = self._wire.call_later(target.connect_timeout_s, self.not_connected, TimeoutError())
        self._connection = self._wire.connect(self._route.spoken(self, target.tls), self._route.from_next())

    # Who waits: somebody who awaits it; a visit waits for itself.

    def go_wrong(self, error: Exception) -> None:
        """Take that it cannot go on, which is not the service's fault; raise it where nobody waits."""
        if self._waiting is None or self._waiting.done():
            raise error
        self._waiting.set_exception(error)

    def _awaited(self) -> asyncio.Future[None]:
        self._waiting = self._wire.loop.create_future()
        return self._waiting

    def _rest(self) -> None:
        """Take that nobody waits any more."""
        self._waiting, self._awaits = None, False
        self._cancel_timer()

    def _succeed(self) -> None:
        """Take that it is open and greeted."""
        self._open = True
        self._resolve()

    def _fail(self, error: Exception) -> None:
        """Take that it is not going to be opened; if it is open, that is not so."""
        if not self._open and self._waiting and not self._waiting.done():
            self._waiting.set_exception(error)

    def _wake(self) -> None:
        """Take that the answer or the end is there, or will not come."""
        if self._asked or self._closing:
            self._resolve()

    def _resolve(self) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(None)
