"""An accessibility check of the whole report, by axe: nothing serious, in both themes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
import report_records as records
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def serious(page: Page) -> list[str]:
    violations = Axe().run(page).response["violations"]
    return [each["id"] for each in violations if each["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_a_report(
    show: Callable[..., Page], scheme: Literal["light", "dark"]
) -> None:
    page = show(records.failing())
    page.emulate_media(color_scheme=scheme)
    assert serious(page) == []
    page.evaluate("document.querySelector('main').append(document.createElement('img'))")
    assert serious(page) == ["image-alt"]  # what is wrong is found
