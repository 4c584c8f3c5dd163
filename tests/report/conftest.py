"""Open reports in the browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile import watch
from playwright.sync_api import Browser, Page

from runbook_lib.report import html
from runbook_lib.report.record import RunRecord

# A figure is drawn when a reader comes near it.
VISIT_FIGURES = """async () => {
  for (const figure of document.querySelectorAll("figure:has([data-figure])")) {
    figure.scrollIntoView();
    for (let tries = 0; tries < 1000 && !figure.querySelector(".on-paper"); tries++)
      await new Promise((later) => setTimeout(later, 10));
  }
  scrollTo(0, 0);
}"""


@pytest.fixture(scope="module")
def show(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Page]:
    """Give a function that opens a record's report; `page.requests` lists what it asked the network for."""
    folder = tmp_path_factory.mktemp("reports")

    def open_report(record: RunRecord, *, change: Callable[[str], str] = str, scripts: bool = True) -> Page:
        page: Any = chromium.new_page(viewport={"width": 1280, "height": 800}, java_script_enabled=scripts)
        page.requests, page.seen = [], watch(page)
        page.on("request", lambda request: page.requests.append(request.url))
        file = Path(folder, f"{len(list(folder.iterdir()))}.html")
        file.write_text(change(html.render(record)), encoding="utf-8")
        page.goto(file.as_uri())
        if scripts:
            page.wait_for_selector("html[data-charts]", state="attached", timeout=60_000)
            page.evaluate(VISIT_FIGURES)
        return page

    return open_report
