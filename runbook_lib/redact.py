"""Take secrets out of text before it is written or shown."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

MASK = "[redacted]"
_SHORTEST_SECRET = 6
_SECRET_NAME = re.compile(
    r"token|secret|passw|(?:api|private|signing|encryption|access)_?key|credential|_pass$", re.IGNORECASE
)


def _word(start: str, rest: str) -> re.Pattern[str]:
    """Return a pattern for a word that begins with `start`, also behind a percent-encoded character.

    The literal comes first and its surroundings are looked at afterwards, so that long texts cost little.
    """
    literal = re.escape(start)
    return re.compile(rf"{literal}(?:(?<![\w-]{literal})|(?<=%[0-9A-Fa-f]{{2}}{literal})){rest}")


# Possessive quantifiers, and no start within a run of the same characters: hostile text costs linear time.
_NAMES = r"(?:(?:access|id|refresh|auth|api|client)_?)?(?:token|key|secret)|password|signature|sig"
_KEY = r"[A-Z ]{0,40}PRIVATE KEY"
_ISSUED = (
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "sk_live_",
    "rk_live_",
)
"""How tokens of GitHub, GitLab, Slack and Stripe begin."""
_PATTERNS = (
    _word("eyJ", r"[\w-]{6,}+\.[\w-]{6,}+\.[\w-]*+"),  # a JSON Web Token
    _word("jwt.", r"(?=[a-zA-Z_-]*\d)[\w-]{16,}+"),  # as a subprotocol; not `jwt.SomeError`
    re.compile(r"(?P<kept>[aA](?i:uthorization\W{1,6}bearer\s{1,4}))[^\s\"',;]++"),
    # Elsewhere "bearer" is a word of English too, unless a digit or an inner capital follows it.
    re.compile(
        r"(?P<kept>[bB](?<![\w][bB])(?i:earer)\s)(?=[a-zA-Z.~+/=_-]*(?:\d|[a-z][A-Z]))[\w.~+/=-]{8,}+"
    ),
    _word("ya29.", r"[\w-]{10,}+"),  # a Google OAuth access token
    _word("AIza", r"[\w-]{35}(?![\w-])"),  # a Google API key
    _word("AKIA", r"[0-9A-Z]{16}(?![0-9A-Z])"),  # an access key of AWS
    *(_word(start, r"[\w-]{16,}+") for start in _ISSUED),
    re.compile(r"(?P<kept>://[^\s/:@\"'<>]{0,100}:)[^\s/:@\"'<>]{1,200}+(?=@)"),  # a password in an address
    re.compile(rf"-----BEGIN {_KEY}-----.*?(?:-----END {_KEY}-----|\Z)", re.DOTALL),
    re.compile(r"(?P<kept>[?&](?:" + _NAMES + r")=)(?!\{\w+\})[^&\s\"']++", re.IGNORECASE),
    re.compile(r"(?P<kept>[aA](?i:ccess_token=))(?!\{\w+\})[^&\s\"']++"),
)


# Each pattern needs one of these, and most texts have none: looking for them costs a tenth of the patterns.
_HINTED = ("eyj", "jwt.", "bearer", "ya29.", "private key", "=", "aiza", "akia", "://", *_ISSUED)
_HINTS = re.compile("|".join(map(re.escape, _HINTED)))

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
    if _HINTS.search(text.lower()):
        for pattern in _PATTERNS:
            text = pattern.sub(_masked, text)
    return text


def spellings(secret: str) -> tuple[str, ...]:
    """Return how a secret may stand in a file: as it is, as base64 with either alphabet, and in a URL."""
    raw = secret.encode()
    coded = {alphabet(raw).decode().rstrip("=") for alphabet in (b64encode, urlsafe_b64encode)}
    return tuple(dict.fromkeys((secret, quote(secret, safe=""), json.dumps(secret)[1:-1], *sorted(coded))))


def redact_all(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Return plain data (as of JSON) with every text in it redacted, keys too."""
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        return {redact(str(key), secrets): redact_all(each, secrets) for key, each in value.items()}
    return [redact_all(each, secrets) for each in value] if isinstance(value, (list, tuple)) else value


def redact_json(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a JSON document, redacted text by text; without a secret it stays the same to the byte."""
    known = tuple(secrets)
    escaped = (json.dumps(secret)[1:-1] for secret in known)
    if redact(text, (*known, *escaped)) == text:
        return text
    return json.dumps(redact_all(json.loads(text), known), indent=1, ensure_ascii=False)


def _masked(found: re.Match[str]) -> str:
    return (found.groupdict().get("kept") or "") + MASK
