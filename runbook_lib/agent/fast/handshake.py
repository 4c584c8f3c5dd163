"""Write the opening handshake, and recognise the ordinary answer to it; all others are left to websockets."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator

from websockets.headers import build_host
from websockets.uri import WebSocketURI

from runbook_lib.agent.engine import Call

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_ACCEPTED = b"HTTP/1.1 101 "
_EXTENSIONS = b"sec-websocket-extensions"


def new_key() -> bytes:
    """Return a key for one handshake."""
    return base64.b64encode(os.urandom(16))


def request(call: Call, uri: WebSocketURI, key: bytes) -> bytes:
    """Return the request.

    Raises:
        ValueError: If a header would end before its end.
    """
    lines = list(_lines(call, uri, key.decode()))
    text = "\r\n".join(lines)
    if text.count("\r") + text.count("\n") != 2 * (len(lines) - 1):
        raise ValueError("a line break in a header of the handshake")
    return text.encode() + b"\r\n\r\n"


def _lines(call: Call, uri: WebSocketURI, key: str) -> Iterator[str]:
    yield f"GET {uri.resource_name} HTTP/1.1"
    yield f"Host: {build_host(uri.host, uri.port, uri.secure)}"
    yield "Upgrade: websocket"
    yield "Connection: Upgrade"
    yield f"Sec-WebSocket-Key: {key}"
    yield "Sec-WebSocket-Version: 13"
    if call.subprotocols:
        yield f"Sec-WebSocket-Protocol: {', '.join(call.subprotocols)}"
    for name, value in call.headers.items():
        yield f"{name}: {value}"
    yield f"User-Agent: {call.user_agent}"


def may_be_ordinary(begun: bytes) -> bool:
    """Say whether an answer that is not all there may still become an ordinary one."""
    return begun.startswith(_ACCEPTED[: len(begun)])


def is_ordinary(head: bytes, key: bytes, subprotocol: str) -> bool:
    """Say whether the answer, up to its empty line, accepts all that was asked for and adds nothing odd."""
    if not head.startswith(_ACCEPTED):
        return False
    lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    fields = {name.lower(): value.strip() for name, _, value in lines}
    accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        len(fields) == len(lines)
        and fields.get(b"sec-websocket-accept") == accept
        and fields.get(b"upgrade", b"").lower() == b"websocket"
        and fields.get(b"connection", b"").lower() == b"upgrade"
        and fields.get(b"sec-websocket-protocol", b"").decode("latin-1") == subprotocol
        and _EXTENSIONS not in fields
    )
