"""Issue and check access tokens, and find them in a request; knows users only by what a token says."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt

SUBPROTOCOL = "jwt-auth"
LIFETIME_S = 3600
TEST_DOMAIN = "@example.test"
_ALGORITHM = "HS256"
_TOKEN_PREFIX = "jwt."  # noqa: S105 (a marker in front of a token)


class AuthError(Exception):
    """The caller has not shown who they are; the text may be sent to them."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Access tokens signed with one secret."""

    secret: str

    def issue(self, user: str) -> str:
        """Return a token that names this user for `LIFETIME_S` seconds."""
        now = datetime.now(UTC)
        claims = {"sub": user_id_of(user), "iat": now, "exp": now + timedelta(seconds=LIFETIME_S)}
        return jwt.encode(claims, self.secret, algorithm=_ALGORITHM)

    def user_id(self, token: str | None) -> str:
        """Return whom the token names.

        Raises:
            AuthError: If there is no token, or it is not ours, or it has expired.
        """
        if not token:
            raise AuthError("no access token: send a bearer header or the jwt-auth subprotocols")
        try:
            claims = jwt.decode(
                token, self.secret, algorithms=[_ALGORITHM], options={"require": ["sub", "exp"]}
            )
        except jwt.InvalidTokenError as error:
            raise AuthError(f"access token refused: {error}") from error
        return str(claims["sub"])


def signing_secret(environ: MutableMapping[str, str]) -> str:
    """Return JWT_SECRET_KEY; when it is unset, draw one and leave it there for child processes."""
    if not environ.get("JWT_SECRET_KEY"):
        environ["JWT_SECRET_KEY"] = secrets.token_urlsafe(48)
    return environ["JWT_SECRET_KEY"]


def user_id_of(user: str) -> str:
    """Return the same id for the same user on every revision."""
    return "user-" + hashlib.sha256(user.lower().encode()).hexdigest()[:16]


def check_login(user: str, password: object, staging_password: str) -> None:
    """Let test accounts in as they are, anybody else by the staging password.

    Raises:
        AuthError: If the password is missing, wrong, or none was set for this service.
    """
    if user.lower().endswith(TEST_DOMAIN):
        return
    given = password.encode() if isinstance(password, str) else b""
    if not (staging_password and hmac.compare_digest(given, staging_password.encode())):
        raise AuthError("wrong user or password")


def token_in(headers: Mapping[str, str]) -> str | None:
    """Return the token that a request carries: by subprotocol first, then by bearer header."""
    return _from_subprotocols(headers.get("Sec-WebSocket-Protocol", "")) or _from_bearer(
        headers.get("Authorization", "")
    )


def _from_subprotocols(header: str) -> str | None:
    offered = [part.strip() for part in header.split(",")]
    coded = next((part for part in offered if part.startswith(_TOKEN_PREFIX)), None)
    if coded is None or SUBPROTOCOL not in offered:
        return None
    return _unbase64(coded.removeprefix(_TOKEN_PREFIX))


def _unbase64(text: str) -> str:
    padded = text + "=" * (-len(text) % 4)
    try:
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return text  # left as it came: the signature check refuses it with a reason


def _from_bearer(header: str) -> str | None:
    scheme, _, token = header.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
