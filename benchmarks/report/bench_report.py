"""Measure a report of 1,000,000 probe samples and 200,000 log lines: its size, how soon it can be read.

A short run is made on the local staging and its evidence grown (`grow.py`); then everything is real: the
judge judges it, notebook 05 shows it, the report is written and opened in chromium without a network. The
peer is the same notebooks by nbconvert, figures as plotly's own renderer puts them into a notebook.
`--run FOLDER` grows a copy of that run instead of making one; `--keep FOLDER` keeps what was made.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.report.grow import grow
from benchmarks.report.peer import page as peer_page
from benchmarks.results import ROOT, Result, record
from runbook_lib.notebook_archive import add_pictures
from runbook_lib.run import open_run

COMMAND = ".venv/bin/python benchmarks/report/bench_report.py"
BIN = Path(sys.executable).parent
MOST_MB, MOST_OPEN_S = 6.0, 3.0
RUNS = 5
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SCREENS = {"1280 x 800": (1280, 800), "phone, 390 x 844": (390, 844)}
# Every still is decoded, and plotly stands ready to replace the ones that are looked at.
ALL_SEEN = """async () => {
  await Promise.all([...document.images].map((image) => image.decode()));
  return document.documentElement.dataset.charts === "ready";
}"""
VISIT = """async () => {
  for (const figure of document.querySelectorAll("figure:has([data-figure])")) {
    figure.scrollIntoView();
    while (!figure.querySelector(".on-paper")) await new Promise((later) => setTimeout(later, 5));
  }
}"""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """How long after the address was entered the verdict, and all figures, were there; in seconds."""

    verdict_s: float
    figures_s: float
    interactive_s: float


def make_run(folder: Path) -> Path:
    """Make a short run on a local staging of its own and return its folder."""
    environment = {**os.environ, "RUNBOOK_EMULATOR_DIR": str(folder / "emulator")}
    plan = ROOT / "notebooks" / "plans" / "quickstart.yaml"
    given = ["-p", f"report.folder={folder / 'outputs'}"]
    try:
        subprocess.run([BIN / "runbook", "run", plan, *given], cwd=ROOT, env=environment, check=True)
    finally:
        down = [sys.executable, "-m", "runbook_lib.emulator", "down"]
        subprocess.run(down, env=environment, check=True, stdout=subprocess.DEVNULL)
    return next((folder / "outputs").glob("2*"))


def write(folder: Path) -> float:
    """Judge the grown evidence, show it in notebook 05, write the report; return how long the last took."""
    run = open_run(folder)
    run.judge()
    archived = folder / "notebooks" / "05_report.ipynb"
    command = [BIN / "papermill", "--no-progress-bar", "notebooks/05_report.ipynb", archived]
    subprocess.run([*command, "-p", "run_dir", folder], cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    add_pictures(archived)
    began_s = time.perf_counter()
    run.write_reports()
    return time.perf_counter() - began_s


def opened(browser: Browser, file: Path) -> Opened:
    """Open a report without a network."""
    page = _page(browser, (1280, 800))
    began_s = time.perf_counter()
    page.goto(file.as_uri(), wait_until="commit")
    page.locator("#verdict .action").wait_for()
    verdict_s = time.perf_counter() - began_s
    page.wait_for_selector("html[data-charts]", state="attached")
    assert page.evaluate(ALL_SEEN), "plotly was not loaded"
    figures_s = time.perf_counter() - began_s
    page.evaluate(VISIT)
    interactive_s = time.perf_counter() - began_s
    page.context.close()
    return Opened(verdict_s=verdict_s, figures_s=figures_s, interactive_s=interactive_s)


def opened_peer(browser: Browser, file: Path) -> float:
    """Open the peer's page without a network; return when its figures are there, in seconds."""
    page = _page(browser, (1280, 800))
    began_s = time.perf_counter()
    page.goto(file.as_uri(), wait_until="commit")
    page.wait_for_function("document.readyState === 'complete'")
    page.wait_for_function(
        "(() => { const all = [...document.querySelectorAll('.plotly-graph-div')];"
        " return all.length && all.every((each) => each.querySelector('.main-svg')); })()"
    )
    took_s = time.perf_counter() - began_s
    page.context.close()
    return took_s


def first_screen(browser: Browser, file: Path, size: tuple[int, int]) -> float:
    """Return where the verdict ends on a screen of `size`, as a share of its height."""
    page = _page(browser, size)
    page.goto(file.as_uri(), wait_until="commit")
    box = page.locator("#verdict").bounding_box()
    assert box
    page.context.close()
    return (box["y"] + box["height"]) / size[1]


def _page(browser: Browser, size: tuple[int, int]) -> Page:
    return browser.new_context(viewport={"width": size[0], "height": size[1]}, offline=True).new_page()


def measure(folder: Path, write_s: float) -> list[Result]:
    """Open what was written and the peer's page in turns; print all figures, return those with a peer."""
    ours, theirs = folder / "report.html", folder.parent / "peer.html"
    theirs.write_text(peer_page(folder / "notebooks"), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        turns = [(opened(browser, ours), opened_peer(browser, theirs)) for _ in range(RUNS)]
        ends = {name: first_screen(browser, ours, size) for name, size in SCREENS.items()}
        browser.close()
    verdict_s = statistics.median(turn.verdict_s for turn, _ in turns)
    figures_s = statistics.median(turn.figures_s for turn, _ in turns)
    interactive_s = statistics.median(turn.interactive_s for turn, _ in turns)
    peer_s = statistics.median(took for _, took in turns)
    size_mb, markdown_mb, peer_mb = (
        file.stat().st_size / 1e6 for file in (ours, folder / "report.md", theirs)
    )
    held_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"report.html {size_mb:.2f} MB (at most {MOST_MB:g}), report.md {markdown_mb:.2f} MB, "
        f"the peer's page {peer_mb:.2f} MB\n"
        f"written in {write_s:.1f} s by a process of at most {held_mib:,.0f} MiB\n"
        f"verdict visible after {verdict_s:.2f} s, all figures after {figures_s:.2f} s "
        f"(at most {MOST_OPEN_S:g}), the peer's after {peer_s:.2f} s\n"
        f"every figure scrolled to and interactive after {interactive_s:.2f} s"
    )
    for name, end in ends.items():
        print(f"{name}: the verdict ends at {end:.0%} of the first screen")
    assert size_mb <= MOST_MB, "the report is too large"
    assert figures_s <= MOST_OPEN_S, "the report opens too slowly"
    assert max(ends.values()) <= 1, "the verdict is not on the first screen"
    return [
        _result("size", size_mb / peer_mb, f"{size_mb:.1f} MB", f"{peer_mb:.1f} MB", runs=1),
        _result(
            "time until all figures are seen",
            figures_s / peer_s,
            f"{figures_s:.2f} s",
            f"{peer_s:.2f} s",
            runs=RUNS,
        ),
    ]


def _result(what: str, ratio: float, ours: str, theirs: str, *, runs: int) -> Result:
    return Result(
        name=f"report of 1,000,000 samples and 200,000 log lines: {what}", ratio=ratio, goal=1, ours=ours,
        theirs=theirs, runs=runs, peer="nbconvert with plotly's renderer", command=COMMAND,
        peer_version=version("nbconvert"), higher_is_better=False,
    )  # fmt: skip


def main() -> None:
    """Make, grow, write, open, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="run folder to grow a copy of")
    parser.add_argument("--keep", type=Path, help="folder to leave the grown run in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "grown", "large-run")
        shutil.copytree(arguments.run or make_run(Path(temporary)), folder)
        grow(folder)
        results = measure(folder, write(folder))
        if arguments.keep:
            shutil.copytree(folder, arguments.keep, dirs_exist_ok=True)
    if not arguments.run:
        record(results)


if __name__ == "__main__":
    main()
