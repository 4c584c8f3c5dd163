"""Write the frames of a client, and read the ordinary ones of a server; all others are left to websockets."""

from __future__ import annotations

import os
import struct

from websockets.frames import Opcode

try:
    from websockets.speedups import apply_mask
except ImportError:  # where it could not be compiled
    from websockets.utils import apply_mask

_FIN, _MASKED = 0x80, 0x80
_TWO_BYTES, _EIGHT_BYTES = 126, 127
TEXT = _FIN | Opcode.TEXT
_HEAD = struct.Struct("!BBH").unpack_from
_SHORTEST = 4  # bytes: the head of a longer frame, or the whole of one of two characters
CLOSE_NORMALLY = b"\x03\xe8"  # code 1000


def frame(opcode: Opcode, payload: bytes) -> bytes:
    """Return a whole frame, masked as a client has to."""
    length, mask = len(payload), os.urandom(4)
    if length < _TWO_BYTES:
        head = bytes((_FIN | opcode, _MASKED | length))
    elif length < 1 << 16:
        head = struct.pack("!BBH", _FIN | opcode, _MASKED | _TWO_BYTES, length)
    else:
        head = struct.pack("!BBQ", _FIN | opcode, _MASKED | _EIGHT_BYTES, length)
    return b"".join((head, mask, apply_mask(payload, mask)))


def read_texts(data: bytes) -> tuple[list[str], bytes, bool]:
    """Read the ordinary frames at the beginning of `data`: whole texts in UTF-8, shorter than 64 KiB.

    Returns:
        Their payloads; the bytes behind them, which are no such frame or not yet; whether those begin with
        something that is not going to be one.
    """
    texts: list[str] = []
    at, end = 0, len(data)
    while end - at >= _SHORTEST:
        first, length, longer = _HEAD(data, at)
        if first != TEXT or length > _TWO_BYTES:  # so is every masked frame
            return texts, data[at:], True
        body = at + 2
        if length == _TWO_BYTES:
            length, body = longer, at + 4
        last = body + length
        if last > end:
            break
        try:
            texts.append(data[body:last].decode())
        except UnicodeDecodeError:
            return texts, data[at:], True
        at = last
    short = end - at > 1 and data[at + 1] < 2  # a text of a character or none: there is nothing in it
    return texts, data[at:], at < end and (data[at] != TEXT or short)
