"""Measure our load engine against Locust: the same session, the same server, one core each.

Needs gcc, OpenSSL's headers and `taskset`; Locust is installed here by pip, into `.tools`. Prints a line for
each comparison and keeps the ratios in benchmarks/results.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from results import Result, record

HERE = Path(__file__).parent
TOOLS = HERE / ".tools"
SERVER, LOCUST = TOOLS / "chat_server", TOOLS / "locust" / "bin"
CERTIFICATE, KEY = TOOLS / "cert.pem", TOOLS / "key.pem"
COMMAND = "python benchmarks/load/bench_load.py"
GOALS = {"sessions": 5.0, "sessions over TLS": 2.0, "chats on open connections": 5.0}


def prepare() -> None:
    """Build the server, make its certificate, install Locust."""
    TOOLS.mkdir(exist_ok=True)
    flags = ["-O2", "-o", str(SERVER), str(HERE / "chat_server.c"), "-lssl", "-lcrypto"]
    subprocess.run(["/usr/bin/env", "gcc", *flags], check=True)
    subject = ["-subj", "/CN=127.0.0.1", "-days", "30", "-nodes"]
    where = ["-keyout", str(KEY), "-out", str(CERTIFICATE)]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    request = ["/usr/bin/env", "openssl", "req", "-x509", *curve, *subject, *where]
    subprocess.run(request, check=True, capture_output=True)
    if not (LOCUST / "locust").exists():
        subprocess.run([sys.executable, "-m", "venv", str(LOCUST.parent)], check=True)
        subprocess.run([str(LOCUST / "pip"), "install", "-q", "locust==2.47.0"], check=True)


@contextmanager
def server(tls: bool) -> Iterator[int]:
    """Run the server on the first core; yield its port."""
    argv = ["taskset", "-c", "0", str(SERVER), "0", *([str(CERTIFICATE), str(KEY)] if tls else [])]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        try:
            yield int(running.stdout.readline().split()[1])
        finally:
            running.kill()


def ours(what: str, url: str, engine: str, *more: object) -> dict[str, Any]:
    """Run `ours.py` on the second core and return what it printed."""
    argv = ["taskset", "-c", "1", sys.executable, str(HERE / "ours.py"), what, url, engine, *map(str, more)]
    shown: dict[str, Any] = json.loads(
        subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    )
    return shown


def locust(url: str, session: str, seconds: int) -> dict[str, Any]:
    """Run Locust on the second core and return its rate."""
    target = {"TARGET": url.replace("http", "ws", 1) + "/ws", "SESSION": session}
    argv = [
        "taskset", "-c", "1", str(LOCUST / "locust"), "-f", str(HERE / "locustfile.py"), "--headless",
        "--json", "-u", "64", "-r", "64", "-t", f"{seconds}s", "--stop-timeout", "1", "--loglevel", "ERROR",
    ]  # fmt: skip
    done = subprocess.run(argv, env={**os.environ, **target}, capture_output=True, text=True, check=True)
    (stats,) = json.loads(done.stdout)
    assert not stats["num_failures"], done.stdout
    return {"rate": stats["num_requests"] / (stats["last_request_timestamp"] - stats["start_time"])}


def compare(name: str, tls: bool, session: str, rounds: int, seconds: int) -> Result:
    """Take turns and return the ratio of the medians."""
    what = "sessions" if session == "whole" else "chats"
    count = {"sessions": 500 if tls else 1500, "chats": 10_000}[what] * seconds
    rates: dict[str, list[float]] = {"ours": [], "locust": [], "websockets": []}
    with server(tls) as port:
        url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        for _ in range(rounds):
            rates["locust"].append(locust(url, session, seconds)["rate"])
            rates["ours"].append(ours(what, url, "fast", count)["rate"])
            rates["websockets"].append(ours(what, url, "websockets", count // 4)["rate"])
    middle = {who: statistics.median(found) for who, found in rates.items()}
    print(name, {who: [round(each) for each in found] for who, found in rates.items()}, flush=True)
    return Result(
        name=f"load, {name} a second and core", ratio=middle["ours"] / middle["locust"], goal=GOALS[name],
        higher_is_better=True, peer="Locust", peer_version="2.47.0", runs=rounds, command=COMMAND,
        ours=f"{middle['ours']:,.0f}/s", theirs=f"{middle['locust']:,.0f}/s",
    )  # fmt: skip


def main() -> None:
    """Read the arguments: without any, measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=6)
    given = parser.parse_args()
    prepare()
    results = [
        compare("sessions", False, "whole", given.rounds, given.seconds),
        compare("sessions over TLS", True, "whole", given.rounds, given.seconds),
        compare("chats on open connections", False, "chats", given.rounds, given.seconds),
    ]
    with server(tls=False) as port:
        idle = ours("idle", f"http://127.0.0.1:{port}", "fast", 8000)
        lag = ours("sessions", f"http://127.0.0.1:{port}", "fast", 4000, 800)
    print(f"idle connections per GB {idle['per_gb']:,.0f} (goal 80,000)")
    print(f"own lag p99 at 800 sessions/s {1000 * lag['lag_p99_s']:.2f} ms (goal 2 ms)")
    if given.rounds >= 3:
        record(results)


if __name__ == "__main__":
    main()
