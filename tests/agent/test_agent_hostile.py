"""No server can crash an engine, hold it beyond its time limit, or fill its memory; each has its outcome."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import ENGINES
from hostile_server import ACTS
from hostile_visit import ANSWER_S, CONNECT_S

HERE = Path(__file__).parent
MOST_MB = 300
POLITE_S = 2.0  # what closing may take after the time limit
SLACK_S = 30.0  # a busy machine is slow, a hang has no end

REJECTED, LATE, UNREADABLE = "HandshakeRejected", "TurnTimeout", "protocol_violation"
OUTCOMES: dict[str, tuple[tuple[str, ...], str]] = {
    "no http": ((REJECTED,), r"^/ws answered nothing: "),
    "closes at once": ((REJECTED,), r"^/ws answered nothing: "),
    "never answers": ((LATE,), f"^the session on /ws did not come within {CONNECT_S} s$"),
    "redirect": ((REJECTED,), r"^/ws answered 302: Found$"),
    "redirect to itself": ((REJECTED,), r"^/ws answered 307: Temporary Redirect$"),
    "wrong accept key": ((REJECTED,), r"^/ws answered nothing: .*Sec-WebSocket-Accept"),
    # An engine that reads on until the time limit says "too late", one with limits of size "too much".
    "a page of 100 MB": ((REJECTED, LATE), r"^/ws answered |did not come within"),
    "headers without end": ((REJECTED, LATE), r"^/ws answered nothing: |did not come within"),
    "a header that drips": ((LATE,), f"did not come within {CONNECT_S} s$"),
    "random bytes": ((UNREADABLE,), "^a frame could not be read: 1002"),
    "a reserved opcode": ((UNREADABLE,), "^a frame could not be read: 1002"),
    "a masked frame": ((UNREADABLE,), "^a frame could not be read: 1002"),
    "compressed without leave": ((UNREADABLE,), "^a frame could not be read: 1002"),
    "a continuation of nothing": ((UNREADABLE,), "^a frame could not be read: 1002"),
    "not utf-8": ((UNREADABLE,), "^a frame could not be read: 1007|^frame 1 is not a JSON object"),
    "a close code that none may send": ((UNREADABLE,), "^a frame could not be read: 1002"),
    "a message of 100 MB": ((UNREADABLE,), "^a frame could not be read: 1009"),
    "100 MB in fragments": ((UNREADABLE,), "^a frame could not be read: 1009"),
    "fragments without end": ((UNREADABLE, "answer_timeout"), "^a frame could not be read: 1009|2 s$"),
    "a frame that drips": (("answer_timeout",), "^the final event did not come within 2 s$"),
    "pings without end": (("answer_timeout",), "^the final event did not come within 2 s$"),
    "silence after the message": (("answer_timeout",), "^the final event did not come within 2 s$"),
    "closes after the message": (("closed",), "^the server ended the session: "),
    "resets in the middle of a frame": (("closed",), "^the server ended the session: "),
    "does not read the close": (("answer_timeout",), "^the final event did not come within 2 s$"),
    "no json": ((UNREADABLE,), "^frame 1 is not a JSON object$"),
    "json that is no object": ((UNREADABLE,), "^frame 1 is not a JSON object$"),
    "json that is too deep": ((UNREADABLE,), "^frame 1 is not a JSON object$"),
    "a number of 10,000 digits": ((UNREADABLE,), "^frame 1 is not a JSON object$"),
    "empty messages without end": ((UNREADABLE,), "^frame 1 is not a JSON object$"),
    # A busy machine may need all of the time limit for the first 500 of them.
    "10,000 events": (
        (UNREADABLE, "answer_timeout"),
        "^the answer did not end within 500 frames$|^the final event did not come within 2 s$",
    ),
    "binary events": ((UNREADABLE,), "^frame 1 is not a JSON object$"),
}


@pytest.fixture(scope="module")
def ports() -> Iterator[str]:
    """The hostile server's ports by act, as JSON; the server is a process, so that it shares no loop."""
    command = [sys.executable, HERE / "hostile_server.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline()
        finally:
            server.kill()


TOGETHER = [pytest.param(name, marks=pytest.mark.xdist_group(f"hostile to {name}")) for name in ENGINES]
"""All that looks at one engine's visits runs in one process: they take seconds, and are made once there."""


@pytest.fixture(scope="module", params=TOGETHER)
def visited(request: pytest.FixtureRequest, ports: str) -> dict[str, Any]:
    """What became of one engine at every act."""
    command = [sys.executable, HERE / "hostile_visit.py", request.param, ports]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def test_every_act_has_an_outcome_that_names_it_within_the_time_limit(visited: dict[str, Any]) -> None:
    wrong = [
        f"{name}: {seen}"
        for name, seen in visited["acts"].items()
        if seen["outcome"] not in OUTCOMES[_act(name)][0]
        or not re.search(OUTCOMES[_act(name)][1], seen["detail"])
        or seen["took_s"] > CONNECT_S + ANSWER_S + POLITE_S + SLACK_S
    ]
    assert wrong == []


def test_no_act_fills_the_memory(visited: dict[str, Any]) -> None:
    assert 20 < visited["peak_mb"] <= MOST_MB


def test_no_act_is_left_out(visited: dict[str, Any]) -> None:
    assert {_act(name) for name in visited["acts"]} == set(ACTS)
    assert set(OUTCOMES) == set(ACTS)
    assert len(ACTS) >= 30


def _act(name: str) -> str:
    return name.rpartition(", ")[0]
