"""Find one event of another user in 1 of 500 sessions: how many sessions does it take?

Runs the sample service's variant `rare-leak` (by lot, 1 answer in 500 brings one event of another user) as a
process, and loads it with at most 3,000 sessions for each seed, as the load of a run does; then a healthy
one, which must show nothing. By chance alone 3,000 sessions miss it once in 400 times. Load goes to
127.0.0.1 only. Takes 10 to 50 s a seed; arguments are the seeds.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rare_leak import look_for_a_leak

SEEDS = [int(seed) for seed in sys.argv[1:]] or [1, 2, 3, 4, 5]
MOST, RATE_PER_S, HEALTHY_SESSIONS = 3_000, 60.0, 1_000


@contextmanager
def service(variant: str, seed: int) -> Iterator[str]:
    """Run a variant of the sample service for a while; yields its URL."""
    command = [sys.executable, "-m", "runbook_lib.emulator.sample_service", "--variant", variant]
    env = {**os.environ, "PORT": "0", "LEAK_SEED": str(seed), "ANSWER_S": "0.1"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = (json.loads(line) for line in process.stdout)
        port = next(line["port"] for line in lines if line["message"] == "listening")
        threading.Thread(target=lambda: [None for _ in lines], daemon=True).start()  # or its log fills up
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def main() -> None:
    """Print for each seed when it was found, and by whom."""
    places = []
    for seed in SEEDS:
        with service("rare-leak", seed) as url:
            began = time.monotonic()
            found = asyncio.run(look_for_a_leak(url, seed, MOST, RATE_PER_S))
        assert found.at is not None, f"seed {seed}: not found within {found.sessions} sessions"
        assert found.leak is not None
        places.append(found.at)
        print(
            f"seed {seed}: session {found.at} of {found.sessions} ({found.answered} answered): "
            f"{found.leak.receiver} received {found.leak.what} of {found.leak.sender or 'somebody unknown'}, "
            f"{time.monotonic() - began:.0f} s"
        )
    with service("healthy", SEEDS[0]) as url:
        healthy = asyncio.run(look_for_a_leak(url, SEEDS[0], HEALTHY_SESSIONS, RATE_PER_S))
    assert healthy.at is None
    print(f"healthy: nothing in {healthy.sessions} sessions, {healthy.answered} of them answered")
    print(f"median over {len(places)} seeds: session {statistics.median(places):.0f}; latest {max(places)}")


if __name__ == "__main__":
    main()
