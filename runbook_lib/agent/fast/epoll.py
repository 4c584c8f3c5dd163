"""Carry thousands of connections by an epoll of their own, which the event loop watches like one file.

A session needs little of what the loop's own transports do: here its connection is one `socket` and one
`epoll_ctl`, and a send or a receive is one call. Connections that are asked for in one turn of the loop are
made one right after the other, each with its first bytes, so that a sleeping server is woken once for them.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from runbook_lib.agent.fast.wire import Address, Speaker

_IN, _OUT = 0x001, 0x004  # EPOLLIN and EPOLLOUT, which other systems' `select` does not name
_MOST_AT_ONCE = 512
_PIECE = 256 * 1024
_TIMER_S = 0.0005  # half of what uvloop's timers are exact to: else it may wake us before the time


class EpollWire:
    """Implements `wire.Wire`. It has an epoll as long as there are connections."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.buffer = memoryview(bytearray(_PIECE))
        self._epoll: select.epoll | None = None
        self._transports: dict[int, EpollTransport] = {}
        self._asked: deque[EpollTransport] = deque()
        self._delays: dict[float, _Delay] = {}

    def connect(self, speaker: Speaker, addresses: Sequence[Address]) -> EpollTransport:
        """Connect at the end of this turn of the loop."""
        transport = EpollTransport(self, speaker, addresses)
        speaker.connection_made(transport)
        if not self._asked:
            self.loop.call_soon(self._connect_all)
        self._asked.append(transport)
        return transport

    def call_later(self, delay_s: float, callback: Callable[..., object], *args: object) -> _Timer:
        """Call after so many seconds; those of the same delay stand in line, for one timer of the loop."""
        delay = self._delays.get(delay_s)
        if delay is None:
            delay = self._delays[delay_s] = _Delay(self.loop, delay_s)
        return delay.add(callback, args)

    def close(self) -> None:
        """End all connections at once."""
        for transport in (*self._asked, *self._transports.values()):
            transport.abort()

    def watch(self, transport: EpollTransport, descriptor: int, before: int, events: int) -> None:
        """Tell a transport when one of some events comes, none for 0; `before` are those until now."""
        if self._epoll is None:
            self._epoll = select.epoll()
            self.loop.add_reader(self._epoll.fileno(), self._look)
        self._transports[descriptor] = transport
        if not before:
            self._epoll.register(descriptor, events)
        elif events:
            self._epoll.modify(descriptor, events)
        else:  # it would tell of a reset again and again
            self._epoll.unregister(descriptor)

    def forget(self, descriptor: int) -> None:
        """Take that one was closed, and has left the epoll by that."""
        self._transports.pop(descriptor, None)
        if not self._transports and self._epoll is not None:
            self.loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _connect_all(self) -> None:
        try:
            while self._asked:
                self._asked.popleft().connect()
        finally:  # one that fails is not to keep the others from it
            if self._asked:
                self.loop.call_soon(self._connect_all)

    def _look(self) -> None:
        if self._epoll is None:
            return
        for descriptor, _ in self._epoll.poll(0, _MOST_AT_ONCE):
            transport = self._transports.get(descriptor)
            if transport is not None:  # else one before it has ended it
                transport.ready()


class EpollTransport(asyncio.Transport):
    """A connection, whose speaker speaks first: only what was sent shows that there is one."""

    __slots__ = (
        "_addresses", "_connected", "_descriptor", "_eof", "_error", "_events", "_reads", "_socket",
        "_speaker", "_unsent", "_wire",
    )  # fmt: skip

    def __init__(self, wire: EpollWire, speaker: Speaker, addresses: Sequence[Address]) -> None:
        self._wire, self._addresses = wire, iter(addresses)
        self._speaker: Speaker | None = speaker
        self._socket: socket.SocketType | None = None
        self._descriptor, self._events = -1, 0
        self._unsent = bytearray()
        self._connected, self._reads, self._eof = False, True, False
        self._error: Exception | None = None

    # What the wire calls.

    def connect(self) -> None:
        """Connect to the next address and send; whether that succeeds is told later, if not at once."""
        if self._speaker is None:
            return
        for address in self._addresses:
            try:
                self._connect(address)
            except OSError as error:
                self._close()
                self._error = error
            else:
                return
        if speaker := self._shut():
            speaker.not_connected(self._error or OSError("no address"))

    def ready(self) -> None:
        """Go on with what waits to be sent, and take what came."""
        try:
            if self._unsent:
                self._send_on()
            if self._reads:
                self._receive()
        except Exception as error:  # of the speaker: the other connections are not to suffer
            self._lost(error)
            raise

    # What the speaker calls.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, or keep what cannot be sent yet. That it never will be is told by what is received."""
        if self._unsent or self._socket is None:
            self._unsent += data
            return
        sent = self._send(data)
        if sent < len(data):
            self._unsent += data[sent:]
            self._watch()

    def write_eof(self) -> None:
        """Send no more than what was written."""
        self._eof = True
        self._end_sending()

    def can_write_eof(self) -> bool:
        """One way can be ended alone."""
        return True

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be sent."""
        return len(self._unsent)

    def pause_reading(self) -> None:
        """Let what comes wait."""
        self._reads = False
        self._watch()

    def resume_reading(self) -> None:
        """Let it come again."""
        self._reads = True
        self._watch()

    def abort(self) -> None:
        """End the connection at once."""
        if speaker := self._shut():
            self._wire.loop.call_soon(speaker.connection_lost, None)

    def _connect(self, address: Address) -> None:
        self._error = None
        connecting = socket.SocketType(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if (code := connecting.connect_ex(address.where)) not in (0, errno.EINPROGRESS):
            connecting.close()
            raise OSError(code, os.strerror(code))
        self._socket, self._descriptor = connecting, connecting.fileno()
        self._send_on()

    def _send(self, data: bytes | bytearray | memoryview) -> int:
        """Send what can be; what never can counts as sent, and the reason is kept."""
        if self._socket is None:
            return len(data)
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._error = self._error or error
            return len(data) if self._connected else 0
        self._connected = True
        return sent

    def _send_on(self) -> None:
        del self._unsent[: self._send(self._unsent)]
        self._watch()
        self._end_sending()

    def _end_sending(self) -> None:
        if self._eof and not self._unsent and self._socket is not None:
            with suppress(OSError):  # where it has ended: what is received tells how
                self._socket.shutdown(socket.SHUT_WR)

    def _receive(self) -> None:
        if self._socket is None or self._speaker is None:
            return
        try:
            count = self._socket.recv_into(self._wire.buffer)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(self._error or error)
            return
        if count:
            self._speaker.data_received(self._wire.buffer[:count].tobytes())
        else:
            self._lost(self._error)

    def _watch(self) -> None:
        events = (_IN if self._reads else 0) | (_OUT if self._unsent else 0)
        if events != self._events and self._socket is not None:
            before, self._events = self._events, events
            self._wire.watch(self, self._descriptor, before, events)

    def _lost(self, error: Exception | None) -> None:
        """Take that the connection is gone; or that there was none, and try the next address."""
        if self._connected:
            if speaker := self._shut():
                speaker.connection_lost(error)
        else:
            self._close()
            self._error = error
            self.connect()

    def _shut(self) -> Speaker | None:
        """End it; return who has to hear of that, nobody where it had ended."""
        self._close()
        speaker, self._speaker = self._speaker, None
        return speaker

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._wire.forget(self._descriptor)
            self._socket, self._events = None, 0


class _Timer:
    """Implements `wire.Timer`."""

    __slots__ = ("args", "at_s", "callback")

    def __init__(self, at_s: float, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        self.at_s, self.args = at_s, args
        self.callback: Callable[..., object] | None = callback

    def cancel(self) -> None:
        """Do not call."""
        self.callback, self.args = None, ()


class _Delay:
    """Calls that wait equally long, so that who comes first is called first."""

    def __init__(self, loop: asyncio.AbstractEventLoop, delay_s: float) -> None:
        self._loop, self._delay_s = loop, delay_s
        self._line: deque[_Timer] = deque()
        self._waits = False

    def add(self, callback: Callable[..., object], args: tuple[object, ...]) -> _Timer:
        """Add a call."""
        timer, line = _Timer(time.monotonic() + self._delay_s, callback, args), self._line
        while line and line[0].callback is None:  # most are taken back, long before their time
            line.popleft()
        line.append(timer)
        if not self._waits:
            self._wait(self._delay_s)
        return timer

    def _wait(self, seconds: float) -> None:
        self._waits = True
        self._loop.call_later(seconds + _TIMER_S, self._call_all_due)

    def _call_all_due(self) -> None:
        now_s, line = time.monotonic(), self._line
        self._waits = False
        try:
            while line and line[0].at_s <= now_s:
                due = line.popleft()
                if due.callback is not None:
                    due.callback(*due.args)
        finally:
            if line and not self._waits:
                self._wait(line[0].at_s - now_s)
