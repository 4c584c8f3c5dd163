"""Install Locust and Artillery into folders of their own, and measure what each makes on the second core."""

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
_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwcm9iZSJ9.c2lnbmF0dXJl"  # noqa: S105
_USERS = 64  # at once: more do not make either faster
_ARRIVALS_PER_S = 1_500  # more than it can take on one core; those that find no place are skipped
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
    """Return the sessions or chats a second that Locust made."""
    argv = [
        *ON_THE_SECOND_CORE, str(_LOCUST / "locust"), "-f", str(HERE / "locustfile.py"), "--headless",
        "--json", "-u", str(_USERS), "-r", str(_USERS), "-t", f"{seconds}s", "--stop-timeout", "1",
        "--loglevel", "ERROR",
    ]  # fmt: skip
    env = {**os.environ, "TARGET": _websocket(url), "SESSION": session}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    (stats,) = json.loads(done.stdout)
    assert not stats["num_failures"], done.stdout
    rate: float = stats["num_requests"] / (stats["last_request_timestamp"] - stats["start_time"])
    return rate


def artillery(url: str, session: str, seconds: int) -> float:
    """Return the sessions or chats a second that Artillery made."""
    script, report = TOOLS / "artillery.json", TOOLS / "artillery-report.json"
    script.write_text(json.dumps(_script(url, session, seconds)))
    argv = [*ON_THE_SECOND_CORE, str(_ARTILLERY), "run", "--quiet", "--output", str(report), str(script)]
    env = {**os.environ, "ARTILLERY_DISABLE_TELEMETRY": "true"}
    subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    seen = json.loads(report.read_text())["aggregate"]
    counters = seen["counters"]
    assert not counters.get("vusers.failed"), counters
    rate: float = 1000 * counters["chats"] / (seen["lastCounterAt"] - seen["firstCounterAt"])
    return rate


def _script(url: str, session: str, seconds: int) -> dict[str, Any]:
    coded = base64.urlsafe_b64encode(_TOKEN.encode()).decode().rstrip("=")
    chat = {"function": "checkedChat"}
    whole = {"duration": seconds, "arrivalRate": _ARRIVALS_PER_S, "maxVusers": _USERS}
    few = {"duration": 1, "arrivalCount": _USERS}
    return {
        "config": {
            "target": _websocket(url),
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
