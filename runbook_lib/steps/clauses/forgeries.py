"""Make tokens that no service may take, out of one that it gave; knows no secret and needs none."""

from __future__ import annotations

import base64
import json

GARBAGE = "no-token-at-all"


def altered_signature(token: str) -> str:
    """Return the token with another signature; of one without parts, with another end."""
    head, dot, signature = token.rpartition(".")
    # The first characters: the last one of a base64 text may hold bits that count for nothing.
    turned = "".join("A" if character != "A" else "B" for character in signature[:6])
    return head + dot + turned + signature[6:]


def unsigned(token: str) -> str | None:
    """Return the token as one that says it needs no signature; None for one that is no JSON Web Token."""
    if not is_jwt(token):
        return None
    header = json.dumps({"alg": "none", "typ": "JWT"}).encode()
    return f"{_base64url(header)}.{token.split('.')[1]}."


def with_claims_of(token: str, other: str) -> str | None:
    """Return a token with the claims of `other`, signed for `token`; None unless both are JSON Web Tokens."""
    if not (is_jwt(token) and is_jwt(other)):
        return None
    header, _, signature = token.split(".")
    return f"{header}.{other.split('.')[1]}.{signature}"


def is_jwt(token: str) -> bool:
    """Say whether a token has the three parts of a JSON Web Token, the first of which is a header."""
    parts = token.split(".")
    try:
        padded = parts[0] + "=" * (-len(parts[0]) % 4)
        return len(parts) == 3 and "alg" in json.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, TypeError):
        return False


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
