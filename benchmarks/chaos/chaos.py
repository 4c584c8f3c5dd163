"""Kill runs at random moments and see that each ends as if nobody had: `make chaos`, or this with `--runs N`.

Every run is a whole headless one with notebooks, on a service of its own. It is killed by SIGKILL, some two
or three times (the runner, its kernel or both), while the emulator's API fails at random; then it is resumed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from google.cloud import run_v2
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from victim import Case, Told, disturbed, undisturbed

from runbook_lib.gcp.channels import channel_to

IMAGES = {"healthy": "sample-agent:healthy", "unhealthy": "sample-agent:unhealthy"}
EMULATOR = (sys.executable, "-m", "runbook_lib.emulator")


def main() -> int:
    """Return 0 if nothing was wrong with any run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--keep", action="store_true", help="keep the folders of good runs, too")
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="chaos-"))
    os.environ["RUNBOOK_EMULATOR_DIR"] = str(root / "emulator")
    print(f"{given.runs} runs, seed {given.seed}, in {root}", flush=True)
    try:
        return _all(given, root)
    finally:
        subprocess.run([*EMULATOR, "down"], check=False, stdout=subprocess.DEVNULL)


def _all(given: argparse.Namespace, root: Path) -> int:
    quick = ("--sample-period", "0.2", "--log-delay", "0", "--log-read-quota", "0", "--idle-timeout", "14400")
    up = subprocess.run([*EMULATOR, "up", "--json", *quick], check=True, capture_output=True, text=True)
    cloud = json.loads(up.stdout)
    rng = random.Random(given.seed)

    def case(name: str, image: str, seed: int, length_s: float) -> Case:
        folder = root / name
        folder.mkdir()
        return Case(
            seed=seed,
            service=name,
            image=IMAGES[image],
            folder=folder,
            emulator=cloud["http"],
            length_s=length_s,
        )

    expected, lengths = {}, {}
    for image in IMAGES:
        expected[image], lengths[image] = undisturbed(case(f"still-{image}", image, 0, 0))
        print(f"undisturbed, {image}: {expected[image]['action']} after {lengths[image]:.1f} s", flush=True)
    draws = [
        (f"chaos-{n}", rng.choices(list(IMAGES), weights=(3, 1))[0], rng.random()) for n in range(given.runs)
    ]

    def one(name: str, image: str, draw: float) -> Told:
        mine = case(name, image, int(draw * 10**9), lengths[image])
        told = disturbed(mine, expected[image])
        _delete(cloud["grpc"], name)
        if not (told.wrong or given.keep):
            shutil.rmtree(mine.folder)
        print(json.dumps({"image": image, **asdict(told)}), flush=True)
        return told

    began_s = time.monotonic()
    with ThreadPoolExecutor(given.at_once) as pool:
        ended = list(pool.map(lambda draw: one(*draw), draws))
    return _summed_up(ended, time.monotonic() - began_s)


def _delete(address: str, service: str) -> None:
    client = run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel_to(address)))
    client.delete_service(name=f"projects/chaos/locations/here/services/{service}")


def _summed_up(ended: list[Told], seconds: float) -> int:
    bad = [told for told in ended if told.wrong]
    kills, faults = [len(told.kills) for told in ended], sum(len(told.faults) for told in ended)
    print(
        f"{len(ended)} runs in {seconds:.0f} s; {sum(kills)} kills, {sum(n > 1 for n in kills)} of them again"
    )
    print(f"{faults} faults; verdicts {dict(Counter(told.action for told in ended))}")
    print(f"{len(bad)} of {len(ended)} runs with anything wrong")
    for told in bad:
        print(f"  {told.service}: {'; '.join(dict.fromkeys(told.wrong))}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
