"""Fuzz every reader: `make fuzz`, or this with `--cases N`; ends with 1 if input breaks one."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
import warnings
from pathlib import Path

from fuzzing import fuzz
from parsers import parsers


def main() -> int:
    """Return 0 if nothing broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        known = parsers(Path(folder) / "names")
        whole = sum(each.weight for each in known)
        jobs = [(each.name, int(given.cases * each.weight / whole) + 1) for each in known]
    began_s = time.monotonic()
    with multiprocessing.Pool(given.processes) as pool:
        done = pool.starmap(_one, jobs, chunksize=1)
    print(f"{sum(cases for _, cases in jobs)} cases in {time.monotonic() - began_s:.0f} s")
    return 0 if all(done) else 1


def _one(name: str, cases: int) -> bool:
    warnings.simplefilter("ignore")  # of proto-plus, about numbers that no enum has
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        (parser,) = [each for each in parsers(Path(folder) / "run") if each.name == name]
        try:
            refused = fuzz(parser, cases)
        except AssertionError as error:
            print(f"{name}: {error}", flush=True)
            return False
    print(f"{name}: {cases} cases, {refused} refused, {time.monotonic() - began_s:.0f} s", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
