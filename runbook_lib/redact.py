"""Take secrets out of text before it is written or shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MASK = "[redacted]"
_SHORTEST_SECRET = 6
_SECRET_NAME = re.compile(r"(token|secret|password|passwd|api_?key|credential|private_key)", re.IGNORECASE)
_PATTERNS = (
    re.compile(r"\beyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*"),  # a JSON Web Token
    re.compile(r"\bjwt\.[\w-]{16,}"),  # the same as a WebSocket subprotocol
    re.compile(r"(?i)(?<=bearer )[\w.~+/=-]{8,}"),
    re.compile(r"\bya29\.[\w-]{10,}"),  # a Google OAuth access token
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
    re.compile(r"(?i)(?:(?<=[?&]token=)|(?<=[?&]key=))[^&\s\"']+"),
    re.compile(r"(?i)(?<=access_token=)[^&\s\"']+"),
)


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
        text = pattern.sub(MASK, text)
    return text
