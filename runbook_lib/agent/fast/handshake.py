"""Write the opening handshake, and recognise the ordinary answer to it; all others are left to websockets."""

from __future__ import annotations

import base64
import os
import re

from websockets.headers import build_host
from websockets.uri import WebSocketURI
from websockets.utils import accept_key

from runbook_lib.agent.engine import Call

_ACCEPTED = b"HTTP/1.1 101 "
_EXTENSIONS = b"sec-websocket-extensions"
# As RFC 9110 has them: any other is for websockets to refuse.
_WELL_FORMED = re.compile(
    rb"HTTP/1\.1 101 [\t -~\x80-\xff]*(?:\r\n[-!#$%&'*+.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*){,100}"
)
_LONGEST = 8000  # bytes: longer lines are refused
_END = "\r\n"
_MOST_KNOWN = 64


def new_key() -> str:
    """Return a key for one handshake."""
    return base64.b64encode(os.urandom(16)).decode()


def beginning(uri: WebSocketURI) -> str:
    """Return what every request to an address begins with."""
    host = build_host(uri.host, uri.port, uri.secure)
    return (
        f"GET {uri.resource_name} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\n"
    )


def request(call: Call, start: str, key: str) -> bytes:
    """Return the request that begins with `start`.

    Raises:
        ValueError: If a header would end before its end.
    """
    headers = [f"{name}: {value}" for name, value in call.headers.items()]
    if call.subprotocols:
        headers.append(f"Sec-WebSocket-Protocol: {', '.join(call.subprotocols)}")
    headers.append(f"User-Agent: {call.target.user_agent}")
    text = _END.join(headers)
    if text.count("\r") + text.count("\n") != 2 * (len(headers) - 1):
        raise ValueError("a line break in a header of the handshake")
    return f"{start}Sec-WebSocket-Key: {key}\r\n{text}\r\n\r\n".encode()


def may_be_ordinary(begun: bytes) -> bool:
    """Say whether an answer that is not all there may still become an ordinary one."""
    return begun.startswith(_ACCEPTED[: len(begun)])


def is_ordinary(head: bytes, key: str, subprotocol: str, known: set[tuple[bytes, bytes, str]]) -> bool:
    """Say whether the answer, up to its empty line, accepts all that was asked for and adds nothing odd.

    A server's answers often differ only in what they make of the key: `known` keeps what stood around that.
    """
    accept = accept_key(key).encode()
    before, there, behind = head.partition(accept)
    if there and (before, behind, subprotocol) in known:
        return True
    ordinary = _is_ordinary(head, accept, subprotocol)
    if ordinary and len(known) < _MOST_KNOWN:
        known.add((before, behind, subprotocol))
    return ordinary


def _is_ordinary(head: bytes, accept: bytes, subprotocol: str) -> bool:
    if len(head) > _LONGEST or not _WELL_FORMED.fullmatch(head):
        return False
    lines = head.split(b"\r\n")
    fields: dict[bytes, bytes] = {}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        fields[name.lower()] = value.strip()
    return (
        len(fields) == len(lines) - 1
        and fields.get(b"sec-websocket-accept") == accept
        and fields.get(b"upgrade", b"").lower() == b"websocket"
        and fields.get(b"connection", b"").lower() == b"upgrade"
        and fields.get(b"sec-websocket-protocol", b"").decode("latin-1") == subprotocol
        and _EXTENSIONS not in fields
    )
