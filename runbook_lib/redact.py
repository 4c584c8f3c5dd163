"""Take secrets out of text before it is written or shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MASK = "[redacted]"
_SHORTEST_SECRET = 6
_SECRET_NAME = re.compile(
    r"token|secret|passw|(?:api|private|signing|encryption|access)_?key|credential|_pass$", re.IGNORECASE
)
# Possessive quantifiers, and no start within a run of the same characters: hostile text costs linear time.
_START = r"(?:(?<![\w-])|(?<=%[0-9A-Fa-f]{2}))"  # also behind a percent-encoded character
_NAMES = r"(?:(?:access|id|refresh|auth|api|client)_?)?(?:token|key|secret)|password|signature|sig"
_KEY = r"[A-Z ]{0,40}PRIVATE KEY"
_PATTERNS = (
    re.compile(_START + r"eyJ[\w-]{6,}+\.[\w-]{6,}+\.[\w-]*+"),  # a JSON Web Token
    re.compile(_START + r"jwt\.(?=[a-zA-Z_-]*\d)[\w-]{16,}+"),  # as a subprotocol; not `jwt.SomeError`
    re.compile(r"(?P<kept>authorization\W{1,6}bearer\s{1,4})[^\s\"',;]++", re.IGNORECASE),
    # Elsewhere "bearer" is a word of English too, unless a digit or an inner capital follows it.
    re.compile(r"(?P<kept>\b(?i:bearer)\s)(?=[a-zA-Z.~+/=_-]*(?:\d|[a-z][A-Z]))[\w.~+/=-]{8,}+"),
    re.compile(_START + r"ya29\.[\w-]{10,}+"),  # a Google OAuth access token
    re.compile(rf"-----BEGIN {_KEY}-----.*?(?:-----END {_KEY}-----|\Z)", re.DOTALL),
    re.compile(r"(?P<kept>[?&](?:" + _NAMES + r")=)[^&\s\"']++", re.IGNORECASE),
    re.compile(r"(?P<kept>access_token=)[^&\s\"']++", re.IGNORECASE),
)


_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


def plain(text: str) -> str:
    """Return `text` without terminal sequences, in the middle of which a secret would not be known as one."""
    return _TERMINAL.sub("", text)


def secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of the variables whose names say that they are secret, longest first."""
    values = {
        value
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET
    }
    return tuple(sorted(values, key=len, reverse=True))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` with the known secrets and everything shaped like a token replaced by `[redacted]`."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    for pattern in _PATTERNS:
        text = pattern.sub(_masked, text)
    return text


def _masked(found: re.Match[str]) -> str:
    return (found.groupdict().get("kept") or "") + MASK
