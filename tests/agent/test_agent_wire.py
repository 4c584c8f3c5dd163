"""What carries the fast engine's bytes: connections that fail, wait, break, and end; on real sockets."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from scripted_service import PATIENCE_S, raw_server

from runbook_lib.agent.fast.epoll import EpollWire
from runbook_lib.agent.fast.wire import Address, LoopWire, Wire
from runbook_lib.event_loop import new_event_loop

WIRES: dict[str, Callable[[asyncio.AbstractEventLoop], Wire]] = {"epoll": EpollWire, "loop": LoopWire}
MANY = 20_000_000  # bytes: more than sockets take at once
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


class Speaker:
    """Says something, and remembers what became of it."""

    def __init__(self, says: bytes = b"hello", act: Callable[[bytes], None] = lambda _: None) -> None:
        self.says, self.act = says, act
        self.came = bytearray()
        self.begun = 0
        self.lost: list[Exception | None] = []
        self.failed: list[Exception] = []

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.begun += 1
        self.transport = transport
        transport.write(self.says)

    def data_received(self, data: bytes) -> None:
        self.came += data
        self.act(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.append(error)

    def not_connected(self, error: Exception) -> None:
        self.failed.append(error)

    @property
    def ended(self) -> bool:
        return bool(self.lost or self.failed)


@pytest.fixture(params=WIRES)
async def wire(request: pytest.FixtureRequest) -> AsyncIterator[Wire]:
    """Each wire, on the loop of the test."""
    made = WIRES[request.param](asyncio.get_running_loop())
    yield made
    made.close()


@pytest.fixture
async def epoll() -> AsyncIterator[EpollWire]:
    """The wire that is our own."""
    made = EpollWire(asyncio.get_running_loop())
    yield made
    made.close()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def _sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.1)
    count = 0
    while data := await reader.read(1 << 20):
        count += len(data)
    writer.write(str(count).encode())
    writer.close()


@asynccontextmanager
async def at(script: Script) -> AsyncIterator[Address]:
    """Serve a script; yields where."""
    async with raw_server(script) as url, asyncio.timeout(PATIENCE_S):
        yield Address(family=socket.AF_INET, where=("127.0.0.1", int(url.rpartition(":")[2])))


@contextmanager
def nowhere() -> Iterator[Address]:
    """Keep a port where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield Address(family=socket.AF_INET, where=bound.getsockname())


async def until(said: Callable[[], object]) -> None:
    """Wait for it."""
    while not said():
        await asyncio.sleep(0.005)


async def test_what_is_said_arrives_and_what_comes_is_heard_until_the_end(wire: Wire) -> None:
    async with at(_echo) as address:
        speaker = Speaker()
        wire.connect(speaker, [address])
        await until(lambda: speaker.came == b"hello")
        speaker.transport.write_eof()
        await until(lambda: speaker.ended)
    assert (speaker.begun, speaker.lost, speaker.failed) == (1, [None], [])


async def test_the_next_address_is_tried_where_one_refuses(wire: Wire) -> None:
    with nowhere() as refusing:
        async with at(_echo) as address:
            speaker = Speaker()
            wire.connect(speaker, [refusing, refusing, address])
            await until(lambda: speaker.came == b"hello")
            speaker.transport.write_eof()
            await until(lambda: speaker.ended)
    assert (speaker.begun, speaker.failed, speaker.lost) == (1, [], [None])


async def test_no_address_that_answers_is_told_once_as_the_last_one_said_it(wire: Wire) -> None:
    with nowhere() as refusing:
        async with asyncio.timeout(PATIENCE_S):
            speaker = Speaker()
            wire.connect(speaker, [refusing, refusing])
            await until(lambda: speaker.ended)
            await asyncio.sleep(0.05)
    assert speaker.lost == []
    assert [type(error) for error in speaker.failed] == [ConnectionRefusedError]


async def test_an_address_that_no_socket_takes_is_told(wire: Wire) -> None:
    unreachable = Address(family=socket.AF_INET, where=("255.255.255.255", 9))
    async with asyncio.timeout(PATIENCE_S):
        speaker = Speaker()
        wire.connect(speaker, [unreachable])
        await until(lambda: speaker.ended)
    assert [isinstance(error, OSError) for error in speaker.failed] == [True]


@pytest.mark.parametrize("first", [b"x", b"x" * MANY], ids=["little first", "much first"])
async def test_more_than_a_socket_takes_is_sent_on_before_the_end_is(wire: Wire, first: bytes) -> None:
    async with at(_sink) as address:
        speaker = Speaker(first)
        wire.connect(speaker, [address])
        await asyncio.sleep(0.05)
        for _ in range(2):
            speaker.transport.write(b"y" * MANY)
        speaker.transport.write_eof()
        assert speaker.transport.get_write_buffer_size() > 0
        await until(lambda: speaker.ended)
    assert speaker.came == str(len(first) + 2 * MANY).encode()
    assert speaker.lost == [None]


async def test_one_who_does_not_read_hears_nothing_until_it_does(wire: Wire) -> None:
    async with at(_echo) as address:
        speaker = Speaker(b"")
        wire.connect(speaker, [address])
        await until(lambda: speaker.begun)
        speaker.transport.write(b"one")
        await until(lambda: speaker.came == b"one")
        speaker.transport.pause_reading()
        speaker.transport.write(b"2" * MANY)  # so that there is something to do for it
        await asyncio.sleep(0.1)
        assert speaker.came == b"one"
        speaker.transport.resume_reading()
        await until(lambda: len(speaker.came) == len(b"one") + MANY)
        assert speaker.came == b"one" + b"2" * MANY


async def test_a_reset_while_nobody_reads_costs_no_time_and_is_told_once(wire: Wire) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(5)
        writer.write(b"bye")
        await asyncio.sleep(0.1)
        writer.transport.abort()

    async with at(reset) as address:
        speaker = Speaker(act=lambda _: speaker.transport.pause_reading())
        wire.connect(speaker, [address])
        await until(lambda: speaker.came)
        await asyncio.sleep(0.2)
        for _ in range(3):  # the first one is answered by a reset
            speaker.transport.write(b"are you there?")
            await asyncio.sleep(0.05)
        used = time.process_time()
        await asyncio.sleep(0.5)
        assert time.process_time() - used < 0.25
        speaker.transport.resume_reading()
        await until(lambda: speaker.ended)
    assert len(speaker.lost) == 1


async def test_a_speaker_that_fails_loses_its_own_connection_alone(wire: Wire) -> None:
    def fail(_: bytes) -> None:
        raise ValueError("odd")

    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: told.append(str(context["exception"]))
    )
    async with at(_echo) as address:
        bad, good = Speaker(act=fail), Speaker()
        for speaker in (bad, good):
            wire.connect(speaker, [address])
        await until(lambda: good.came == b"hello" and bad.ended)
        good.transport.write(b" you")
        await until(lambda: good.came == b"hello you")
    assert [str(error) for error in bad.lost] == ["odd"]
    assert told == ["odd"]


async def test_one_that_is_given_up_is_told_once_and_heard_no_more(wire: Wire) -> None:
    async with at(_echo) as address:
        speaker = Speaker()
        connection = wire.connect(speaker, [address])
        await until(lambda: speaker.came == b"hello")
        connection.abort()
        connection.abort()
        await until(lambda: speaker.ended)
        speaker.transport.write(b"into the void")
        await asyncio.sleep(0.05)
    assert (speaker.came, speaker.lost) == (b"hello", [None])


async def test_one_that_is_given_up_at_once_never_connects(wire: Wire) -> None:
    came: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(10))
        writer.close()

    async with at(hear) as address:
        given_up, other = Speaker(b"no"), Speaker(b"yes")
        wire.connect(given_up, [address]).abort()
        kept = wire.connect(given_up, [address])
        wire.close()
        wire.connect(other, [address])
        await until(lambda: other.ended)
    assert came == [b"yes"]
    kept.abort()


async def test_closing_the_wire_ends_all_connections(wire: Wire) -> None:
    async with at(_echo) as address:
        speakers = [Speaker() for _ in range(5)]
        for speaker in speakers:
            wire.connect(speaker, [address])
        await until(lambda: all(speaker.came for speaker in speakers))
        speakers[0].transport.pause_reading()
        wire.close()
        await until(lambda: all(speaker.ended for speaker in speakers))


@pytest.mark.parametrize("spare", [0, 1], ids=["no socket", "no epoll"])
async def test_what_cannot_be_opened_is_told_and_nothing_stays_open(epoll: EpollWire, spare: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address(family=socket.AF_INET, where=server.getsockname())
        before, speaker = _open_files(), Speaker()
        async with asyncio.timeout(PATIENCE_S):
            with _no_more_files(spare):
                epoll.connect(speaker, [address, address])
                await until(lambda: speaker.ended)
        assert [error.strerror for error in speaker.failed if isinstance(error, OSError)] == [os.strerror(24)]
        assert _open_files() == before
    async with at(_echo) as address:
        other = Speaker()
        epoll.connect(other, [address])
        await until(lambda: other.came == b"hello")


async def test_an_end_that_comes_too_late_to_be_sent_is_no_trouble(epoll: EpollWire) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda *context: told.append(context))
    async with at(leave) as address:
        speaker = Speaker(b"x" * MANY)
        epoll.connect(speaker, [address])
        speaker.transport.write_eof()
        await until(lambda: speaker.ended)
    assert (len(speaker.lost), told) == (1, [])


async def test_without_connections_no_file_is_open(epoll: EpollWire) -> None:
    async with at(_echo) as address:
        before = _open_files()
        for _ in range(3):
            speaker = Speaker()
            connection = epoll.connect(speaker, [address])
            await until(lambda: speaker.came)  # noqa: B023 - it is called before the next
            assert _open_files() > before
            connection.abort()
            await until(lambda: _open_files() <= before)


@pytest.mark.parametrize("new_loop", [new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
@pytest.mark.parametrize("new_wire", WIRES.values(), ids=WIRES)
def test_calls_come_in_order_none_early_none_that_was_taken_back(
    new_wire: Callable[[asyncio.AbstractEventLoop], Wire],
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    called: list[tuple[str, float]] = []

    async def calls() -> None:
        wire, began = new_wire(asyncio.get_running_loop()), time.monotonic()
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)

        def call(name: str) -> None:
            called.append((name, time.monotonic() - began))
            if name == "fails":
                raise ValueError(name)
            if name == "again":
                wire.call_later(0.02, call, "last")

        wire.call_later(0.05, call, "late")
        for name in ("first", "fails", "again"):
            wire.call_later(0.02, call, name)
        wire.call_later(0.02, call, "never").cancel()
        wire.call_later(0.02, call, "behind one that was taken back")
        await until(lambda: len(called) == 6)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(asyncio.wait_for(calls(), PATIENCE_S))
    names = [name for name, _ in called]
    assert names[:4] == ["first", "fails", "again", "behind one that was taken back"]
    assert set(names[4:]) == {"last", "late"}
    early_s = 0.001 if new_wire is LoopWire else 0.0  # uvloop's own timers are exact to a millisecond
    assert all(at_s >= 0.02 - early_s for _, at_s in called)


@contextmanager
def _no_more_files(spare: int) -> Iterator[None]:
    """Let this process open no file any more, but for a few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    following = os.dup(0)
    os.close(following)
    resource.setrlimit(resource.RLIMIT_NOFILE, (following + spare, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
