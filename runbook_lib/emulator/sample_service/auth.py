"""Issue and check access tokens, and find them in a request; knows users only by what a token says."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

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
    faults: frozenset[str] = frozenset()
    _logged_out: set[str] = field(default_factory=set)
    _issued: set[str] = field(default_factory=set)  # payloads and signatures, for the faults that trust them

    def issue(self, user: str, lifetime_s: float = LIFETIME_S) -> str:
        """Return a token that names this user for so long."""
        now_s = int(datetime.now(UTC).timestamp())
        claims = {
            "sub": user_id_of(user), "iat": now_s, "exp": now_s + lifetime_s, "jti": uuid.uuid4().hex,
        }  # fmt: skip
        token = jwt.encode(claims, self.secret, algorithm=_ALGORITHM)
        if self.faults:
            self._issued.update(token.split(".")[1:])
        return token

    def log_out(self, token: str) -> None:
        """Let the token be worth nothing from now on."""
        self._logged_out.add(hashlib.sha256(token.encode()).hexdigest())

    def user_id(self, token: str | None) -> str:
        """Return whom the token names.

        Raises:
            AuthError: If there is no token, or it is not ours, or it has expired.
        """
        if not token:
            raise AuthError("no access token: send a bearer header or the jwt-auth subprotocols")
        if "garbage-token" in self.faults and token.count(".") != 2:
            raise RuntimeError("a token has three parts")
        claims = self._claims(token)
        gone = hashlib.sha256(token.encode()).hexdigest() in self._logged_out
        if gone and "logged-out-token" not in self.faults:
            raise AuthError("access token refused: logged out")
        return str(claims["sub"])

    def _claims(self, token: str) -> Mapping[str, object]:
        options: dict[str, object] = {
            "require": ["sub", "exp"], "verify_exp": "expired-token" not in self.faults,
        }  # fmt: skip
        try:
            return dict(jwt.decode(token, self.secret, algorithms=[_ALGORITHM], options=options))  # type: ignore[arg-type]
        except jwt.InvalidTokenError as error:
            if self._waved_through(token):
                return dict(jwt.decode(token, options={"verify_signature": False}))
            raise AuthError(f"access token refused: {error}") from error

    def _waved_through(self, token: str) -> bool:
        parts = token.split(".")
        if len(parts) != 3:
            return False
        _, payload, signature = parts
        return (
            ("unsigned-token" in self.faults and not signature)
            or ("forged-signature" in self.faults and payload in self._issued and bool(signature))
            or ("anothers-claims" in self.faults and signature in self._issued)
        )


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


def token_in(headers: Mapping[str, str], *, needs_marker: bool = True) -> str | None:
    """Return the token that a request carries: by subprotocol first, then by bearer header."""
    return _from_subprotocols(headers.get("Sec-WebSocket-Protocol", ""), needs_marker) or _from_bearer(
        headers.get("Authorization", "")
    )


def _from_subprotocols(header: str, needs_marker: bool) -> str | None:
    offered = [part.strip() for part in header.split(",")]
    coded = next((part for part in offered if part.startswith(_TOKEN_PREFIX)), None)
    if coded is None or (needs_marker and SUBPROTOCOL not in offered):
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
