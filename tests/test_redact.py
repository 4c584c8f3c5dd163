"""Secrets leave no trace in text; ordinary prose is left as it was."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.redact import _PATTERNS, redact, secrets_of

HEAD, BODY, SIGN = "eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiJwcm9iZS0xIn0", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1g"
JWT = f"{HEAD}.{BODY}.{SIGN}"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"token {JWT} expired", "token [redacted] expired"),
        (f'{{"access_token": "{JWT}"}}', '{"access_token": "[redacted]"}'),
        (f"/next?to=%2Fhome%3Fjwt%3D{JWT}", "/next?to=%2Fhome%3Fjwt%3D[redacted]"),
        (f"{HEAD}.{BODY}.", "[redacted]"),
        ("jwt-auth, jwt.ZXlKaGJHY2lPaUpJVXpJMU5pSjk", "jwt-auth, [redacted]"),
        (f"Authorization: Bearer {JWT}", "Authorization: Bearer [redacted]"),
        ("Authorization: Bearer opaque", "Authorization: Bearer [redacted]"),
        ("{'authorization': 'bearer s3cret', 'x': 1}", "{'authorization': 'bearer [redacted]', 'x': 1}"),
        ("sent Bearer 5f2b8c11-aa90 twice", "sent Bearer [redacted] twice"),
        ("sent bearer hXkQmZpLwN twice", "sent bearer [redacted] twice"),
        ("gcloud says ya29.a0AfH6SMBx-1234567890", "gcloud says [redacted]"),
        (f"before\n{KEY}\nafter", "before\n[redacted]\nafter"),
        (KEY.replace("RSA ", ""), "[redacted]"),
        (KEY.replace("RSA ", "ENCRYPTED "), "[redacted]"),
        (KEY.partition("-----END")[0], "[redacted]"),
        ("GET /ws?token=abc&user=3", "GET /ws?token=[redacted]&user=3"),
        ("GET /ws?user=3&key=abc HTTP/1.1", "GET /ws?user=3&key=[redacted] HTTP/1.1"),
        ("GET /?api_key=abc", "GET /?api_key=[redacted]"),
        ("GET /?PASSWORD=abc&a=1", "GET /?PASSWORD=[redacted]&a=1"),
        ("GET /?client_secret='a'", "GET /?client_secret='a'"),
        ("access_token=abc&expires_in=3600", "access_token=[redacted]&expires_in=3600"),
    ],
)  # fmt: skip
def test_what_is_shaped_like_a_secret_is_masked(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The bearer authentication failed: send a bearer header or the jwt-auth subprotocols",
        "WWW-Authenticate: Bearer",
        'WWW-Authenticate: Bearer realm="staging", error="invalid_token"',
        "jwt.ExpiredSignatureError: Signature has expired",
        "raised by jwt.decode_complete_token_payload at line 12",
        "the token is missing; the key of the session was not found",
        "GET /sessions?page=2&sort=-time&monkey=brass",
        "eyJ is how a token begins",
        "revision backend-service-00042-abc was ready after 3.2 s",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "≤ 0.05 and ≤ baseline + 0.01",
        "",
    ],
)
def test_ordinary_text_is_left_as_it_was(text: str) -> None:
    assert redact(text) == text


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    assert redact("a=hunter22 b=hunter2", ("hunter22", "hunter2")) == "a=[redacted] b=[redacted]"


def test_variables_that_say_that_they_are_secret_are_the_known_secrets_longest_first() -> None:
    environment = {
        "STAGING_PASSWORD": "correct horse", "GITHUB_TOKEN": "ghp_0123456789abcdef", "db_pass": "swordfish",
        "Api_Key": "k-123456", "JWT_SIGNING_KEY": "signing", "SHORT_TOKEN": "12345", "PATH": "/usr/bin",
        "HOME": "/home/somebody", "PWD": "/home/here", "COMPASS": "north-west", "EMPTY_SECRET": "",
    }  # fmt: skip
    assert secrets_of(environment) == (
        "ghp_0123456789abcdef", "correct horse", "swordfish", "k-123456", "signing"
    )  # fmt: skip


SHAPES = [st.from_regex(pattern, alphabet=st.characters(max_codepoint=126)) for pattern in _PATTERNS]


@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.tuples(*SHAPES))
def test_whatever_has_one_of_the_shapes_is_looked_at_so_each_has_its_hint(texts: tuple[str, ...]) -> None:
    assert [text for text in texts if redact(text) == text and "[redacted]" not in text] == []


@pytest.mark.parametrize(
    "piece",
    [
        "-eyJ",
        "eyJ",
        "a.eyJaaaaaa.",
        "-----BEGIN PRIVATE KEY-----",
        "jwt.",
        "bearer ",
        "&key=",
        "ya29.",
        "=%20",
    ],
)
def test_a_megabyte_of_hostile_text_is_read_in_linear_time(piece: str) -> None:
    started = time.process_time()
    redact(piece * (1_000_000 // len(piece)))
    assert time.process_time() - started < 5
