"""Measure our load engine against Locust and Artillery: the same session, the same server, one core each.

Needs gcc, OpenSSL's headers, `taskset`, Node.js and npm; the peers are installed here into `.tools`. Prints a
line for each comparison and keeps the ratios in benchmarks/results.json. A round of a comparison takes about
nine times `--seconds`, Artillery alone six; `--only` measures one of them.

Everybody makes as much as he can on the second core. A rate is what was made by the processor time that the
client took for it, in user and kernel, start-up left out: on a core of its own that is its sessions a second,
and where others work on the core too, they spoil it for all three alike.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from peers import ARTILLERY_VERSION, LOCUST_VERSION, ON_THE_SECOND_CORE, artillery, install, locust
from results import Result, record
from server import CERTIFICATE, build, server

HERE = Path(__file__).parent
COMMAND = ".venv/bin/python benchmarks/load/bench_load.py"
PEERS = {"Locust": (locust, LOCUST_VERSION), "Artillery": (artillery, ARTILLERY_VERSION)}
GOALS = {
    "sessions": {"Locust": 5.0, "Artillery": 3.0},
    "sessions over TLS": {"Locust": 2.0, "Artillery": None},
    "chats on open connections": {"Locust": 5.0, "Artillery": None},
}
"""What the ratio should be at least, or None where it is for information."""
PER_S = {"sessions": 6000, "sessions over TLS": 1300, "chats on open connections": 18_000}
"""About what we make, to know how many make a run of so many seconds."""
IDLE_PER_GB, LAG_S = 80_000, 0.002


def ours(what: str, url: str, engine: str, *more: object) -> dict[str, Any]:
    """Run `ours.py` on the second core and return what it printed; it trusts the benchmark's certificate."""
    argv = [*ON_THE_SECOND_CORE, sys.executable, str(HERE / "ours.py"), what, url, engine, *map(str, more)]
    env = {**os.environ, "SSL_CERT_FILE": str(CERTIFICATE)}
    done = subprocess.run(argv, env=env, check=True, capture_output=True, text=True)
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def compare(name: str, rounds: int, seconds: int) -> list[Result]:
    """Take turns and return the ratios of the medians."""
    what, session = ("chats", "chats") if name.startswith("chats") else ("sessions", "whole")
    rates: dict[str, list[float]] = {"ours": [], **{peer: [] for peer in PEERS}}
    with server(tls="TLS" in name) as url:
        for _ in range(rounds):
            rates["ours"].append(1e6 / ours(what, url, "fast", PER_S[name] * seconds)["cpu_us"])
            for peer, (measure, _) in PEERS.items():
                rates[peer].append(measure(url, session, seconds))
    print(name, {who: [round(each) for each in found] for who, found in rates.items()}, flush=True)
    middle = {who: statistics.median(found) for who, found in rates.items()}
    return [
        Result(
            name=f"load, {name} a second and core", ratio=middle["ours"] / middle[peer],
            goal=GOALS[name][peer], higher_is_better=True, peer=peer, peer_version=PEERS[peer][1],
            runs=rounds, command=f"{COMMAND} --only '{name}'",
            ours=f"{middle['ours']:,.0f}/s", theirs=f"{middle[peer]:,.0f}/s",
        )
        for peer in PEERS
    ]  # fmt: skip


def own_costs(rounds: int, capacity_per_s: float) -> list[Result]:
    """Measure what an idle connection costs, and how late we are at 30 % of what we could."""
    with server() as url:
        idle = {engine: ours("idle", url, engine, 8000)["per_gb"] for engine in ("fast", "websockets")}
        rate = 0.3 * capacity_per_s
        lags = [ours("sessions", url, "fast", int(8 * rate), rate)["lag_p99_s"] for _ in range(rounds)]
    lag_s = statistics.median(lags)
    print(f"idle connections per GB {idle['fast']:,.0f} (goal {IDLE_PER_GB:,})")
    print(f"own lag p99 at {rate:.0f} sessions/s {[f'{1000 * each:.2f} ms' for each in lags]}", flush=True)
    command = f"{COMMAND} --only costs"
    return [
        Result(
            name="load, idle connections per GB", ratio=idle["fast"] / IDLE_PER_GB, goal=1.0,
            higher_is_better=True, peer="the goal", peer_version="–", runs=1, command=command,
            ours=f"{idle['fast']:,.0f} (websockets {idle['websockets']:,.0f})", theirs=f"{IDLE_PER_GB:,}",
        ),
        Result(
            name="load, own lag p99 at 30 % of capacity", ratio=lag_s / LAG_S, goal=1.0,
            higher_is_better=False, peer="the goal", peer_version="–", runs=rounds, command=command,
            ours=f"{1000 * lag_s:.2f} ms at {rate:,.0f} sessions/s", theirs=f"{1000 * LAG_S:.0f} ms",
        ),
    ]  # fmt: skip


def main() -> None:
    """Read the arguments: without any, measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", choices=[*GOALS, "costs"])
    given = parser.parse_args()
    build()
    install()
    results = []
    for name in GOALS:
        if given.only in (None, name):
            results += compare(name, given.rounds, given.seconds)
    if given.only in (None, "costs"):
        with server() as url:
            capacity_per_s = ours("sessions", url, "fast", PER_S["sessions"] * 4)["rate"]
        results += own_costs(given.rounds, capacity_per_s)
    if given.rounds >= 3:
        record(results)


if __name__ == "__main__":
    main()
