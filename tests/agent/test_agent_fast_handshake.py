"""An answer to the handshake that looks like an earlier one is known by that, and no other is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from websockets.utils import accept_key

from runbook_lib.agent.fast.handshake import is_ordinary, new_key


def accept(key: str) -> bytes:
    return accept_key(key).encode()


def head(value: bytes, upgrade: bytes = b"websocket") -> bytes:
    """Return an answer that selects no subprotocol."""
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: " + upgrade + b"\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + value
    )  # fmt: skip


def test_answers_that_differ_in_their_key_alone_are_ordinary_and_looked_at_once() -> None:
    known: set[tuple[bytes, bytes, str]] = set()
    for _ in range(3):
        key = new_key()
        assert is_ordinary(head(accept(key)), key, "", known)
    assert len(known) == 1


ODD: dict[str, Callable[[str], bytes]] = {
    "another key": lambda _: head(accept(new_key())),
    "no key": lambda _: head(b""),
    "the key elsewhere": lambda key: head(b"", upgrade=b"websocket" + accept(key)),
    "another upgrade": lambda key: head(accept(key), upgrade=b"h2c"),
    "a subprotocol": lambda key: head(accept(key) + b"\r\nSec-WebSocket-Protocol: jwt-auth"),
    "an extension": lambda key: head(accept(key) + b"\r\nSec-WebSocket-Extensions: permessage-deflate"),
}


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_one_that_differs_in_more_is_not_ordinary_though_another_is_known(
    make: Callable[[str], bytes],
) -> None:
    known, key = set[tuple[bytes, bytes, str]](), new_key()
    assert is_ordinary(head(accept(key)), key, "", known)
    key = new_key()
    assert not is_ordinary(make(key), key, "", known)
    assert not is_ordinary(make(key), key, "", known)
    assert len(known) == 1


def test_a_server_whose_answers_all_differ_fills_no_memory() -> None:
    known: set[tuple[bytes, bytes, str]] = set()
    for number in range(200):
        key = new_key()
        assert is_ordinary(head(accept(key) + b"\r\nX-Trace: %d" % number), key, "", known)
    assert len(known) == 64
