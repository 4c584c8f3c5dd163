"""JupyterLab runs what the package shows: the fixture works, and what it renders is inert."""

from __future__ import annotations

import pytest
from lab import Lab
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.browser

SHOWN = """\
from runbook_lib.notebook import Shown
import pandas as pd
table = pd.DataFrame({"a": ["<script>window.pwned=2</script>"]})
Shown(sentence="<img src=x onerror=window.pwned=1>", parts=(table,))
"""
CANARY = "from IPython.display import HTML\nHTML('<script>window.pwned=3</script>')"


def test_hostile_text_is_shown_as_text_in_jupyterlab_itself(lab: Lab, chromium: Browser) -> None:
    page = lab.open(chromium, lab.write("hostile.ipynb", SHOWN, CANARY))
    page.run_cell(0)
    expect(page.output(0)).to_contain_text("<img src=x onerror=window.pwned=1>")
    expect(page.output(0)).to_contain_text("<script>window.pwned=2</script>")
    assert page.page.evaluate("window.pwned") is None
    assert page.output(0).locator("img, script").count() == 0
    assert page.requests == []
    page.run_cell(1)
    page.page.wait_for_function("window.pwned === 3")  # what is not escaped would have run
    page.close()
