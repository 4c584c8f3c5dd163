"""Every engine makes the same of the same bytes, however odd they are and wherever they are cut."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise, product
from typing import Any

import pytest
from engines import ENGINES
from hostile_server import BINARY, CLOSE, CONTINUATION, PING, accept, frame
from scripted_service import PATIENCE_S, WAYS, agents_of, events_of, raw_server

from runbook_lib.errors import AgentError

PONG, RESERVED = 10, 3
TIME = re.compile(r" at \d+\.\d\d s$")
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ODD: dict[str, Callable[[bytes], list[bytes]]] = {
    "nothing": lambda event: [frame(event)],
    "a ping before": lambda event: [frame(b"are you there?", PING), frame(event)],
    "an empty ping before": lambda event: [frame(b"", PING), frame(event)],
    "a pong that nobody asked for": lambda event: [frame(b"here", PONG), frame(event)],
    "fragments": lambda event: [frame(event[:40], last=False), frame(event[40:], CONTINUATION)],
    "a ping between fragments": lambda event: [
        frame(event[:9], last=False), frame(b"?", PING), frame(b"", CONTINUATION, last=False),
        frame(event[9:], CONTINUATION),
    ],
    "thousands of pings": lambda event: [frame(b"", PING) * 3000, frame(event)],
    "a fragment for each character": lambda event: [
        frame(b"", last=False), *(frame(bytes([each]), CONTINUATION, last=False) for each in event),
        frame(b"", CONTINUATION),
    ],
    "an empty text": lambda event: [frame(b""), frame(event)],
    "a text of one character": lambda event: [frame(b"1"), frame(event)],
    "binary": lambda event: [frame(event, BINARY)],
    "twice": lambda event: [frame(event), frame(event)],
    "not at all": lambda _: [],
    "no object": lambda event: [frame(b"[1, 2]"), frame(event)],
    "cut short": lambda event: [frame(event[:-7])],
    "white space around": lambda event: [frame(b" \n" + event + b"\t ")],
    "many characters": lambda event: [frame(event[:-1] + b', "more": "' + "ü€😀".encode() * 90 + b'"}')],
    "longer than 64 KiB": lambda event: [frame(event[:-1] + b', "more": "' + b"x" * 70_000 + b'"}')],
    "half a character": lambda event: [frame(event[:-1] + b', "more": "\xc3"}')],
    "half a character in each fragment": lambda event: [
        frame(event[:-1] + b', "more": "\xc3', last=False), frame(b'\xbc"}', CONTINUATION),
    ],
    "a reserved opcode": lambda event: [frame(b"odd", RESERVED), frame(event)],
    "a reserved bit": lambda event: [bytes([frame(event)[0] | 0x40]) + frame(event)[1:]],
    "a masked frame": lambda event: [bytes([0x81, 0x80 | 1]) + b"mask" + b"x", frame(event)],
    "a continuation of nothing": lambda event: [frame(event, CONTINUATION)],
    "a text within fragments": lambda event: [frame(event[:40], last=False), frame(event)],
    "a ping that is too long": lambda event: [frame(b"?" * 126, PING), frame(event)],
    "a ping in fragments": lambda event: [frame(b"?", PING, last=False), frame(event)],
    "a length of 63 bits": lambda event: [frame(event, claims=2**63 - 1)],
    "a length of 64 bits": lambda event: [frame(event, claims=2**64 - 1)],
    "goodbye": lambda event: [frame(b"\x03\xe8bye", CLOSE), frame(event)],
    "goodbye without a code": lambda event: [frame(b"", CLOSE), frame(event)],
    "goodbye with half a code": lambda event: [frame(b"\x03", CLOSE), frame(event)],
    "goodbye with a code that none may send": lambda event: [frame(b"\x03\xed", CLOSE), frame(event)],
    "goodbye in no language": lambda event: [frame(b"\x0f\xa0\xff\xfe", CLOSE), frame(event)],
}  # fmt: skip
"""What may be odd about one event; all else of an answer is as it should be."""

HEADERS = {
    "an ordinary one": b"Server: odd",
    "no value": b"Server:",
    "tabs": b"Server:\todd\t",
    "latin-1": b"Server: \xfc",
    "a name of two words": b"X Server: odd",
    "a space before the colon": b"Server : odd",
    "no name": b": odd",
    "no colon": b"Server",
    "latin-1 in its name": b"S\xe9rver: odd",
    "a second line": b"Server: odd\r\n and more",
    "a control character": b"Server: \x00",
    "a deletion": b"Server: \x7f",
    "a bare line feed": b"Server: a\nb",
    "a bare carriage return": b"Server: a\rb",
    "an extension": b"Sec-WebSocket-Extensions: permessage-deflate",
    "the subprotocol again": b"Sec-WebSocket-Protocol: jwt-auth",
    "the accept key again": b"Sec-WebSocket-Accept: x",
    "a length": b"Content-Length: 5",
    "chunks": b"Transfer-Encoding: chunked",
    "a long one": b"Server: " + b"o" * 8150,
    "too long a one": b"Server: " + b"o" * 8200,
    "many": b"\r\n".join(b"X-%d: 1" % number for number in range(120)),
    "too many": b"\r\n".join(b"X-%d: 1" % number for number in range(130)),
}
"""What may be odd in one more header of a handshake's answer."""


def events() -> list[bytes]:
    """Return the events of an answer to `hello`."""
    return [json.dumps(event).encode() for event in events_of("hello")]


def pieces(stream: bytes, dice: random.Random) -> list[bytes]:
    """Cut a stream in four places, in three pieces each time or not at all.

    Few are there at once: what follows an answer counts as long as one listens, which is 30 ms.
    """
    places = dice.sample(range(1, len(stream)), k=dice.choice([0, 4]))
    cuts = sorted({place + more for place in places for more in range(3)})
    return [stream[start:end] for start, end in pairwise([0, *cuts, len(stream)])]


def saying(cut: list[bytes], header: bytes = b"") -> Script:
    """Return what a server does that answers by these pieces, says no more, and waits for the other's end."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer, header)
        await reader.read(1000)
        for piece in cut:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        with suppress(OSError):  # the other side may have left
            writer.write_eof()
        await reader.read()

    return talk


async def outcome(engine: str, way: str, url: str) -> dict[str, Any]:
    """Return what an engine makes of an answer, without the times in it."""
    try:
        answer = await WAYS[way](agents_of(ENGINES[engine], protocol={"greeting": None}), url)
    except AgentError as error:
        return {"error": str(error)}
    return {
        "status": answer.status,
        "events": [(each.type, each.sequence) for each in answer.events],
        "violations": [TIME.sub("", each) for each in answer.violations],
        "detail": TIME.sub("", answer.detail),
        "text": answer.text,
        "ids": (answer.agent, answer.foreign_ids),
    }


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    ("before", "place"),
    [(b"", 0), (b"", 4), (frame(b"", PING), 2), (frame(b"", PING), 4)],
    ids=["first", "last", "third, after a ping", "last, after a ping"],
)
async def test_every_engine_makes_the_same_of_the_same_bytes(odd: str, before: bytes, place: int) -> None:
    dice = random.Random(f"{odd} {before!r} {place}")  # noqa: S311
    answer = [frame(each) for each in events()]
    answer[place : place + 1] = ODD[odd](events()[place])
    await all_agree(saying(pieces(before + b"".join(answer), dice)))


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
async def test_every_engine_makes_the_same_of_a_header(header: bytes) -> None:
    await all_agree(saying([frame(each) for each in events()], header))


async def all_agree(script: Script) -> None:
    ways = list(product(ENGINES, WAYS))
    async with raw_server(script) as url, asyncio.timeout(PATIENCE_S):
        first, *others = await asyncio.gather(*(outcome(engine, way, url) for engine, way in ways))
    different = {
        f"{way}: {name}": (found, first.get(name))
        for way, each in zip(ways[1:], others, strict=True)
        for name, found in each.items()
        if found != first.get(name)
    }
    assert different == {}
