"""Find this machine's emulator, or start it; it is only reached as a process and by its endpoints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from runbook_lib.errors import CloudUnavailable
from runbook_lib.places import project_root
from runbook_lib.plan import Endpoints, Target

_START_LIMIT_S = 60
STATE_VARIABLE = "RUNBOOK_EMULATOR_DIR"
EMULATOR = (sys.executable, "-m", "runbook_lib.emulator")


def endpoints_of(target: Target) -> Endpoints | None:
    """Return where the target's APIs are, the emulator started where the plan wants it; None for Google's.

    Raises:
        CloudUnavailable: If the emulator does not start.
    """
    if target.endpoints == "google":
        return None
    return _emulator() if target.endpoints == "emulator" else target.endpoints


def environment_of(endpoints: Endpoints | None) -> dict[str, str]:
    """Return what the plan's own commands need in their environment to reach the same cloud."""
    if endpoints is None:
        return {}
    bigquery = {"BIGQUERY_EMULATOR_HOST": f"http://{endpoints.bigquery}"} if endpoints.bigquery else {}
    return {
        "RUNBOOK_RUN_ENDPOINT": endpoints.run,
        "RUNBOOK_LOGGING_ENDPOINT": endpoints.logging,
        "RUNBOOK_MONITORING_ENDPOINT": endpoints.monitoring,
        **bigquery,
    }


def emulator_command(arguments: Sequence[str]) -> int:
    """Run the emulator's own command line and return its exit code."""
    return subprocess.run([*EMULATOR, *arguments], env=_environment(), check=False).returncode


def _environment() -> dict[str, str]:
    """Return this environment, in which the emulator is the project's, wherever one stands in it."""
    return {STATE_VARIABLE: str(project_root() / ".runbook" / "emulator"), **os.environ}


def _emulator() -> Endpoints:
    try:
        ended = subprocess.run(
            [*EMULATOR, "up", "--json"],
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=_START_LIMIT_S,
            check=True,
        )
        started = json.loads(ended.stdout)
        address, http = started["grpc"], started["http"].removeprefix("http://")
    except subprocess.CalledProcessError as error:
        raise _did_not_start(error.stderr.strip()[-500:]) from error
    except (subprocess.TimeoutExpired, ValueError, KeyError) as error:
        raise _did_not_start(str(error)) from error
    return Endpoints(run=address, logging=address, monitoring=address, bigquery=http)


def _did_not_start(detail: str) -> CloudUnavailable:
    return CloudUnavailable("runbook emulator up", "this machine", detail or "nothing", "run it by hand")
