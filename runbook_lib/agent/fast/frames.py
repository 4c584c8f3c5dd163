"""Write the frames of a client, and read the ordinary ones of a server; all others are left to websockets."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from websockets.frames import Opcode

try:
    from websockets.speedups import apply_mask
except ImportError:  # where it could not be compiled
    from websockets.utils import apply_mask

_FIN, _MASKED = 0x80, 0x80
_TWO_BYTES, _EIGHT_BYTES = 126, 127
TEXT = _FIN | Opcode.TEXT
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


@dataclass(slots=True)
class Read:
    """The texts at the beginning of some bytes, and what follows.

    Attributes:
        texts: Payloads of whole, unfragmented text frames.
        rest: Bytes that are no such frame, or not yet.
        odd: Whether `rest` begins with something that is not going to be one.
    """

    texts: list[str]
    rest: bytes
    odd: bool


def read_texts(data: bytes) -> Read:
    """Return the ordinary frames at the beginning of `data`: whole texts in UTF-8, shorter than 64 KiB."""
    texts: list[str] = []
    at, end = 0, len(data)
    while end - at >= 2:
        length, body = data[at + 1], at + 2
        if data[at] != TEXT or length >= _EIGHT_BYTES:  # so is every masked frame
            return Read(texts, data[at:], odd=True)
        if length == _TWO_BYTES:
            if end - at < 4:
                break
            length, body = data[at + 2] << 8 | data[at + 3], at + 4
        if end - body < length:
            break
        try:
            texts.append(data[body : body + length].decode())
        except UnicodeDecodeError:
            return Read(texts, data[at:], odd=True)
        at = body + length
    return Read(texts, data[at:], odd=False)
