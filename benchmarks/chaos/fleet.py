"""Validate twenty services at the same time, and see that each gets the verdict that is its own.

Every fourth candidate is defective. While they run, somebody else tries to validate one of the services too.
`python benchmarks/chaos/fleet.py` ends with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from victim import PLAN, RUNBOOK

EMULATOR = (sys.executable, "-m", "runbook_lib.emulator")
QUICK = ("--sample-period", "0.2", "--log-delay", "0", "--log-read-quota", "0", "--idle-timeout", "14400")
EXPECTED = {"healthy": "PROCEED_TO_PRODUCTION", "unhealthy": "ROLLBACK"}


def main() -> int:
    """Return 0 if nothing was wrong with any service."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        folder = Path(name)
        os.environ["RUNBOOK_EMULATOR_DIR"] = str(folder / "emulator")
        up = subprocess.run([*EMULATOR, "up", "--json", *QUICK], check=True, capture_output=True, text=True)
        try:
            return _validated(folder, json.loads(up.stdout)["http"], given.services, given.at_once)
        finally:
            subprocess.run([*EMULATOR, "down"], check=False, stdout=subprocess.DEVNULL)


def _validated(folder: Path, cloud: str, services: int, at_once: int) -> int:
    images = {f"fleet-{n:02}": "unhealthy" if n % 4 == 3 else "healthy" for n in range(services)}
    plans = [_plan(folder, service, image) for service, image in images.items()]
    outputs, began_s = folder / "outputs", time.monotonic()
    given = ("--at-once", str(at_once), "-p", f"report.folder={outputs}")
    fleet = subprocess.Popen([RUNBOOK, "run-all", *map(str, plans), *given], stdout=subprocess.DEVNULL)
    wrong = _refused(plans[0], outputs, fleet)
    code = fleet.wait()
    print(f"{services} services, {at_once} at once: {time.monotonic() - began_s:.0f} s, exit code {code}")
    runs = {service: list(outputs.glob(f"*-{service}-*/verdict.json")) for service in images}
    told = {each["name"].rsplit("/", 1)[-1]: each for each in _status(cloud)}
    for service, image in images.items():
        wrong += _wrong_with(service, image, runs[service], told.get(service, {}))
        wrong += _mixed_up(service, runs[service], [other for other in images if other != service])
    print(f"{len(wrong)} things wrong", *wrong, sep="\n  ")
    return bool(wrong) or code != max(20 if image == "unhealthy" else 0 for image in images.values())


def _plan(folder: Path, service: str, image: str) -> Path:
    file = folder / f"{service}.yaml"
    target, candidate = f"target: {{service: {service}}}", f"candidate: {{image: sample-agent:{image}}}"
    file.write_text(f"extends: {os.path.relpath(PLAN, folder)}\n{target}\n{candidate}\n", encoding="utf-8")
    return file


def _refused(plan: Path, outputs: Path, fleet: subprocess.Popen[bytes]) -> list[str]:
    """Try to validate a service once somebody else has it; return what is wrong with the answer."""
    service = plan.stem
    while fleet.poll() is None and not _has_lease(outputs, service):
        time.sleep(0.2)
    argv = [RUNBOOK, "run", str(plan), "-p", f"report.folder={outputs.parent / 'second'}"]
    second = subprocess.run(argv, capture_output=True, text=True, check=False)
    print(f"a second run of {service}: exit code {second.returncode}, {second.stderr.strip()}", flush=True)
    right = second.returncode == 2 and f"{service} is being validated by run" in second.stderr
    return [] if right else [f"the second run of {service}: {second.returncode}, {second.stderr}"]


def _has_lease(outputs: Path, service: str) -> bool:
    ledgers = outputs.glob(f"*-{service}-*/ledger.jsonl")
    return any("take or renew the service's lease" in ledger.read_text() for ledger in ledgers)


def _status(cloud: str) -> list[dict[str, Any]]:
    return list(httpx.get(f"{cloud}/status", timeout=30).json()["services"])


def _wrong_with(service: str, image: str, verdicts: list[Path], told: dict[str, Any]) -> list[str]:
    if len(verdicts) != 1:
        return [f"{service} has {len(verdicts)} verdicts"]
    verdict = json.loads(verdicts[0].read_text())
    revisions = told.get("revisions", [])
    names = [each["name"] for each in revisions]
    checks = {
        f"{service} ({image}) was told {verdict['action']}: {verdict['summary']}": verdict["action"]
        == EXPECTED[image],
        f"{service}'s verdict is of {verdict['service']}": verdict["service"] == service,
        f"{service} has the revisions {names}": names == [verdict["baseline"], verdict["candidate"]],
        f"{service}'s baseline has not all traffic": [each["percent"] for each in revisions] == [100, 0],
    }
    return [what for what, right in checks.items() if not right]


def _mixed_up(service: str, verdicts: list[Path], others: list[str]) -> list[str]:
    """Return every file of a service's run that names another service."""
    files = [path for verdict in verdicts for path in verdict.parent.rglob("*") if path.is_file()]
    found = ((path, path.read_bytes()) for path in files if path.name != "manifest.json")
    return [
        f"{path} of {service} names {other}"
        for path, content in found
        for other in others
        if other.encode() in content
    ]


if __name__ == "__main__":
    sys.exit(main())
