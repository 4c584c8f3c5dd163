"""Follow every link of a report in a browser, as readers would; render its notebooks as GitHub does."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

from nbconvert import HTMLExporter
from playwright.sync_api import Page

# Clicks each link once and says where the reader stands then; a fold above a link is opened first.
_FOLLOW = """async () => {
  const seen = {};
  for (const link of document.querySelectorAll('a[href^="#"]')) {
    if (seen[link.hash]) continue;
    for (let each = link.parentElement; each; each = each.parentElement) each.open = true;
    link.click();
    await new Promise((later) => requestAnimationFrame(later));
    const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    const box = target && target.getBoundingClientRect();
    seen[link.hash] = !!box && box.height > 0 && box.top < innerHeight && box.bottom > 0;
  }
  return seen;
}"""
# As GitHub has it, without scripts: each picture with its width, once it is decoded.
_PICTURES = "Promise.all([...document.images].map(async (i) => { await i.decode(); return i.width; }))"


def followed(page: Page) -> dict[str, bool]:
    """Return every link within the page that is open, and whether it leads to something that is seen."""
    seen: dict[str, bool] = page.evaluate(_FOLLOW)
    return seen


def files_linked(page: Page) -> set[str]:
    """Return the files of the run folder that the page leads to."""
    addresses = page.locator('a[href]:not([href^="#"])').evaluate_all(
        "all => all.map(a => a.getAttribute('href'))"
    )
    return {unquote(address) for address in addresses}


def pictures_on_github(page: Page, notebook: Path) -> list[int]:
    """Return the width of every picture of a notebook that is rendered without scripts."""
    rendered, _ = HTMLExporter(template_name="basic").from_filename(str(notebook))
    page.set_content(rendered)
    widths: Any = page.evaluate(_PICTURES)
    return list(widths)
