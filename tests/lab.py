"""A JupyterLab of the tests' own, and its pages as a user sees them: open, run, read, save, reload."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from runbook_lib.kernels import without

with without("rfc3987_syntax"):  # a second for each process of the tests, for grammars that nobody here needs
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

QUIET = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
FOLDERS = ("config", "data", "runtime", "settings", "workspaces")
START_LIMIT_S = 90
PATIENCE_MS = 90_000

expect.set_options(timeout=PATIENCE_MS)  # a kernel takes longer to start than a page to change


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A running JupyterLab; `root` is the folder that it shows."""

    url: str
    token: str
    root: Path

    def write(self, path: str, *cells: str) -> str:
        """Write a notebook of code cells below the root and return its path there."""
        notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, self.root / path)
        return path

    def open(self, browser: Browser, path: str, *, width: int = 1280, height: int = 900) -> LabPage:
        """Open a notebook in a page of its own and wait until its kernel is there."""
        page = LabPage(browser.new_page(viewport={"width": width, "height": height}), self)
        page.open(path)
        return page


class LabPage:
    """A page of JupyterLab with one notebook in front.

    Attributes:
        page: Playwright's own page.
        requests: What the page asked of other hosts than the server: nothing, if all is well.
    """

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page, self._lab = page, lab
        self.requests: list[str] = []
        page.on("request", lambda request: self._note(request.url))
        page.on("dialog", lambda dialog: dialog.accept())  # leaving with unsaved changes asks
        page.set_default_timeout(PATIENCE_MS)

    def open(self, path: str) -> None:
        """Open a notebook below the root and wait until its kernel is there."""
        self.page.goto(f"{self._lab.url}/lab/tree/{path}?reset&token={self._lab.token}")
        self.wait_idle()

    def wait_idle(self) -> None:
        """Wait until the kernel has nothing to do; before it is there, what is run would be dropped."""
        self.page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()

    def run_all(self) -> None:
        """Run all cells, by the menu; they need not have ended when this returns."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.locator('.lm-Menu-item[data-command="runmenu:run-all"]').click()

    def run_cell(self, number: int) -> None:
        """Select a code cell (the first is 0) and run it as Ctrl+Enter does."""
        self.cell(number).locator(".jp-InputArea-prompt").click()
        self.page.keyboard.press("Control+Enter")

    def cell(self, number: int) -> Locator:
        """Return a code cell of the notebook in front; the first is 0."""
        return self.front.locator(".jp-CodeCell").nth(number)

    @property
    def front(self) -> Locator:
        """The notebook in front."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def follow(self, name: str) -> None:
        """Follow the link `name` in the last cell of the notebook in front and wait for that one."""
        self.front.locator(".jp-MarkdownCell").last.get_by_role("link", name=name).click()
        self.front.locator("h1", has_text=name).wait_for()
        self.wait_idle()

    def output(self, number: int) -> Locator:
        """Return the outputs of a code cell."""
        return self.cell(number).locator(".jp-OutputArea-output")

    def errors(self) -> Locator:
        """Return the outputs that are errors."""
        return self.page.locator('[data-mime-type="application/vnd.jupyter.error"]')

    def save(self, path: str) -> None:
        """Save the notebook as Ctrl+S does and wait until its file has changed."""
        file = self._lab.root / path
        before = file.stat().st_mtime_ns
        self.page.keyboard.press("Control+s")
        deadline_s = time.monotonic() + PATIENCE_MS / 1000
        while file.stat().st_mtime_ns == before or not _is_whole(file):
            assert time.monotonic() < deadline_s, f"{path} was not saved"
            self.page.wait_for_timeout(100)

    def close(self) -> None:
        """Close the page; its kernels go on."""
        self.page.close()

    def _note(self, url: str) -> None:
        if not url.startswith((self._lab.url, "blob:", "data:")):
            self.requests.append(url)


def _is_whole(file: Path) -> bool:
    """Say whether a notebook has been written to its end: the server does not write at once."""
    with contextlib.suppress(ValueError):
        return bool(json.loads(file.read_text("utf-8")))
    return False


@contextlib.contextmanager
def running_lab(
    folder: Path,
    root: Path,
    environment: Mapping[str, str] = os.environ,
    command: Sequence[str] = (sys.executable, "-m", "jupyterlab"),
) -> Iterator[Lab]:
    """Run a JupyterLab whose own files are all below `folder`; it and its kernels are gone afterwards.

    Args:
        folder: Its own files.
        root: What it shows.
        environment: Of the server and its kernels.
        command: What starts it; its process must become the server's.
    """
    names = {f"JUPYTER_{name.upper()}_DIR": str(folder / name) for name in FOLDERS[:3]}
    names |= {f"JUPYTERLAB_{name.upper()}_DIR": str(folder / name) for name in FOLDERS[3:]}
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    root.mkdir(parents=True, exist_ok=True)
    (folder / "config" / "labconfig").mkdir()
    (folder / "config" / "labconfig" / "page_config.json").write_text(json.dumps(QUIET), encoding="utf-8")
    token = secrets.token_hex(16)
    server = subprocess.Popen(
        [*command, "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"],
        cwd=root,
        env={**environment, **names, "JUPYTER_TOKEN": token},
        stdout=subprocess.DEVNULL, stderr=(folder / "server.log").open("wb"),
    )  # fmt: skip
    try:
        yield Lab(url=_address(server, folder), token=token, root=root)
    finally:
        server.terminate()  # ends the kernels too
        _wait_for_end(server)


def _wait_for_end(server: subprocess.Popen[bytes]) -> None:
    """Wait for its end; one that saves a file while it stops waits for a thread of its own, for ever."""
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        assert psutil.Process(server.pid).children() == [], "its kernels have not ended"
        server.kill()
        server.wait(10)


def _address(server: subprocess.Popen[bytes], folder: Path) -> str:
    """Return where the server listens, once it does."""
    file = folder / "runtime" / f"jpserver-{server.pid}.json"
    deadline_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline_s:
        assert server.poll() is None, (folder / "server.log").read_text("utf-8")
        with contextlib.suppress(OSError, ValueError):  # not there yet, or not whole
            return str(json.loads(file.read_text("utf-8"))["url"]).rstrip("/")
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab was not up within {START_LIMIT_S} s")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The session's JupyterLab, on an empty folder; tests write their notebooks into it."""
    with running_lab(tmp_path_factory.mktemp("jupyter"), tmp_path_factory.mktemp("lab")) as running:
        yield running
