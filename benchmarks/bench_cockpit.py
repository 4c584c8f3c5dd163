"""How long a kernel takes to answer another cell while a step loads a service at full rate beside it.

Ratio: the slowest answer under load against the slowest of the same kernel when nothing runs.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "notebooks")]

from asking_kernel import AskingKernel  # noqa: E402 - the tests' own front end
from cockpit_project import PLAN, make_project  # noqa: E402

ANSWERS = 40
FULL_LOAD = {"probes__load__rate_per_s": "60", "probes__load__sessions": "1200"}


def answers_s(kernel: AskingKernel) -> list[float]:
    """Return how long the kernel took for each of many small cells, in seconds."""
    took = []
    for _ in range(ANSWERS):
        began_s = time.perf_counter()
        kernel.run("1 + 1")
        took.append(time.perf_counter() - began_s)
        time.sleep(0.1)
    return took


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RUNBOOK_EMULATOR_DIR"] = f"{folder}/emulator"
        project = make_project(Path(folder, "project"), **FULL_LOAD)
        kernel = AskingKernel(project, os.environ)
        try:
            kernel.run(f"from runbook_lib.notebook import begin\nrun = begin({PLAN!r})\nrun.deploy()")
            kernel.wait_for("is ready after")
            idle = answers_s(kernel)
            kernel.run("run.measure()")
            kernel.wait_for("", "application/vnd.jupyter.widget-view+json")
            time.sleep(4)  # the load has begun
            loaded = answers_s(kernel)
            still = kernel.run("assert run._desk.busy")
        finally:
            kernel.kill()
            os.system(f"{sys.executable} -m runbook_lib.emulator down")  # noqa: S605 - our own words
    assert still == "ok", "the load had ended before the last answer"
    for name, took in (("idle", idle), ("under load", loaded)):
        median_ms, slowest_ms = 1000 * statistics.median(took), 1000 * max(took)
        print(f"{name:<11} median {median_ms:6.1f} ms   slowest {slowest_ms:6.1f} ms")


if __name__ == "__main__":
    main()
