"""Install Locust and Artillery into folders of their own, and measure what each makes of a core's time."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOOLS = HERE / ".tools"
LOCUST_VERSION = "2.47.0"
ARTILLERY_VERSION = "2.0.21"
"""The last one that runs on Node.js 20; later ones want 22.13."""
_LOCUST = TOOLS / "locust" / "bin"
_ARTILLERY = TOOLS / "artillery" / "node_modules" / ".bin" / "artillery"
_TOLD = TOOLS / "told.json"
_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwcm9iZSJ9.c2lnbmF0dXJl"  # noqa: S105
_USERS = 64  # at once: more do not make either faster
_ARRIVALS_PER_S = {"ws": 4_000, "wss": 1_200}
"""Twice what Artillery makes, so that it always has more to do: it leaves none out, and takes its time."""
_TO_WARM_UP = 3
"""Artillery gets more time than the others: V8 makes a quarter less in its first seconds."""
ON_THE_SECOND_CORE = ("taskset", "-c", "1")


def install() -> None:
    """Install what is not there yet; nothing of theirs is run while it is installed by npm."""
    if not (_LOCUST / "locust").exists():
        subprocess.run([sys.executable, "-m", "venv", str(_LOCUST.parent)], check=True)
        subprocess.run([str(_LOCUST / "pip"), "install", "-q", f"locust=={LOCUST_VERSION}"], check=True)
    if not _ARTILLERY.exists():
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        where = ["--prefix", str(TOOLS / "artillery"), f"artillery@{ARTILLERY_VERSION}"]
        subprocess.run(["/usr/bin/env", "npm", "install", *quiet, *where], check=True)


def locust(url: str, session: str, seconds: int) -> float:
    """Return the sessions or chats that Locust makes in a second of a core's time."""
    _locust(url, session, seconds)
    return _rate()


def locust_p99_s(url: str, seconds: int) -> float:
    """Return the 99th percentile of the sessions' time that Locust reports."""
    counted = sorted(
        (float(ms), count) for ms, count in _locust(url, "whole", seconds)["response_times"].items()
    )
    left = 0.01 * sum(count for _, count in counted)
    for ms, count in reversed(counted):
        left -= count
        if left <= 0:
            return ms / 1000
    raise AssertionError("Locust made no session")


def _locust(url: str, session: str, seconds: int) -> dict[str, Any]:
    argv = [
        *ON_THE_SECOND_CORE, str(_LOCUST / "locust"), "-f", str(HERE / "locustfile.py"), "--headless",
        "--json", "-u", str(_USERS), "-r", str(_USERS), "-t", f"{seconds}s", "--stop-timeout", "1",
        "--loglevel", "ERROR",
    ]  # fmt: skip
    env = {**os.environ, "TARGET": _websocket(url), "SESSION": session, "TOLD": str(_TOLD)}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    (stats,) = json.loads(done.stdout)
    assert not stats["num_failures"], done.stdout
    found: dict[str, Any] = stats
    return found


def artillery(url: str, session: str, seconds: int) -> float:
    """Return the sessions or chats that Artillery makes in a second of a core's time."""
    script, report = TOOLS / "artillery.json", TOOLS / "artillery-report.json"
    script.write_text(json.dumps(_script(url, session, seconds)))
    argv = [*ON_THE_SECOND_CORE, str(_ARTILLERY), "run", "--quiet", "--output", str(report), str(script)]
    env = {**os.environ, "ARTILLERY_DISABLE_TELEMETRY": "true", "TOLD": str(_TOLD)}
    subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    counters = json.loads(report.read_text())["aggregate"]["counters"]
    assert not counters.get("vusers.failed"), counters
    return _rate()


def _rate() -> float:
    told = json.loads(_TOLD.read_text())
    _TOLD.unlink()
    rate: float = told["made"] / told["cpu_s"]
    return rate


def _script(url: str, session: str, seconds: int) -> dict[str, Any]:
    coded = base64.urlsafe_b64encode(_TOKEN.encode()).decode().rstrip("=")
    chat = {"function": "checkedChat"}
    target = _websocket(url)
    rate = _ARRIVALS_PER_S[target.partition(":")[0]]
    whole = {"duration": _TO_WARM_UP * seconds, "arrivalRate": rate}
    few = {"duration": 1, "arrivalCount": _USERS}
    return {
        "config": {
            "target": target,
            "phases": [whole if session == "whole" else few],
            "ws": {"subprotocols": ["jwt-auth", f"jwt.{coded}"], "rejectUnauthorized": False},
            "processor": str(HERE / "artillery.cjs"),
            "variables": {"seconds": seconds},
        },
        "scenarios": [
            {"engine": "ws", "flow": [chat if session == "whole" else {"function": "chatsForAWhile"}]}
        ],
    }


def _websocket(url: str) -> str:
    return url.replace("http", "ws", 1) + "/ws"
