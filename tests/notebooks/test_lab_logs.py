"""Hostile text as JupyterLab shows it: from the service's log, in live cells, and in the archive."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import report_records as records
from cloud import PROJECT, REGION, Staging
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from google.cloud.logging_v2.types import LogEntry
from hostile import HOSTILE, acted, watch
from kept_run import keep
from lab import Lab, LabPage
from papermill.iorw import papermill_io
from playwright.sync_api import Browser, expect

from runbook_lib.evidence import DeployEvidence
from runbook_lib.gcp.channels import channel_to
from runbook_lib.notebook_archive import SCHEME, add_pictures, archive_with
from runbook_lib.plan.file import dump_plan
from runbook_lib.report import text
from runbook_lib.run import Run

pytestmark = pytest.mark.browser

# What is logged, and what is to be read of it.
LINES = {
    "<script>window.pwned=1</script><img src=x onerror=window.pwned=2>": None,
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 and \x1b[2Jgone": "red and gone",
    "user \u202egnp.exe\u202c \u2066sent\u2069 it": "user gnp.exe sent it",
    b"caf\xe9 \xff\xfe broken".decode(errors="replace"): "caf\ufffd \ufffd\ufffd broken",
    "x" * 1_000_000: "x" * 2000 + "\u2026 and 998,000 characters more",
    "[link](javascript:alert(1)) {{ 7*7 }} $$x$$ <!--": None,
}


def log(staging: Staging, deployed: DeployEvidence) -> None:
    """Have the candidate log the lines in its start-up."""
    assert deployed.candidate
    labels = {"service_name": staging.service, "location": REGION, "revision_name": deployed.candidate.name}
    entries = [
        LogEntry(
            log_name=f"projects/{PROJECT}/logs/run.googleapis.com%2Fstderr", severity="ERROR",
            text_payload=line,
            resource={"type": "cloud_run_revision", "labels": labels},
            timestamp=deployed.candidate.created + timedelta(milliseconds=number),
        )
        for number, line in enumerate(LINES)
    ]  # fmt: skip
    transport = LoggingServiceV2GrpcTransport(channel=channel_to(staging.endpoints.logging))
    LoggingServiceV2Client(transport=transport).write_log_entries(entries=entries)


def test_hostile_log_lines_are_text_in_the_notebook(
    staging: Staging, tmp_path: Path, lab: Lab, chromium: Browser
) -> None:
    staging.create()
    run = Run.start(staging.script("plan.yaml", dump_plan(staging.plan(), tmp_path)), {}, tmp_path)
    log(staging, run.deploy())
    lab.write("notebooks/01_deploy.ipynb")  # makes its folder a checkout
    cells = (
        f"from runbook_lib.notebook import resume\ncockpit = resume({str(run.folder.path)!r})",
        "cockpit.read_logs()",
    )
    page = lab.open(chromium, lab.write("hostile_logs.ipynb", *cells))
    page.run_cell(0)
    expect(page.cell(0).locator(".jp-InputPrompt")).to_have_text("[1]:")
    page.run_cell(1)
    expect(page.output(1)).to_contain_text("6 entries at ERROR or above")
    shown = page.output(1).inner_text()

    for line, read in LINES.items():
        assert (read or line) in shown
    assert page.page.evaluate("window.pwned") is None
    assert page.output(1).locator("img, script, a").count() == 0
    assert not set("\x1b\u202e\u2066") & set(shown)
    assert len(shown) < 20_000
    assert (page.errors().count(), page.requests) == (0, [])
    page.page.screenshot(path=str(tmp_path / "hostile.png"))
    page.close()


VIEWS = (
    "run", "run.read_logs()", "run.run_suites()", "run.tests()", "run.probe()", "run.sessions()",
    "run.leaks()",
    'run.chart("waterfall")', 'run.chart("timeline")', 'run.chart("templates")', 'run.chart("memory")',
    "run.card()", "run.criteria()", "run.novelty()", "run.regressions()", "run.facts()", "run.not_seen()",
)  # fmt: skip
# Where each way of hostile text into a run ends in these cells.
WAYS = {"logs": 'run.chart("timeline")', "agent replies": "run.leaks()", "test names": "run.tests()",
        "plan fields": "run", "the image's name": "run.card()"}  # fmt: skip
OURS = ("<script>// Lets tables be sorted", '<img class="plot-img" style="display: none;">')
PLANTED = "img:not([src^='data:image/png;base64,']), iframe, object, embed, form, script, base"


def assert_inert_and_whole(page: LabPage, seen: list[str]) -> None:
    """Nothing of the hostile run has acted in a notebook, and all of it can be read there."""
    outputs = page.front.locator(".jp-OutputArea-output")
    assert acted(page.page, seen) == []
    assert page.requests == []
    planted = outputs.locator(PLANTED).evaluate_all("all => all.map(each => each.outerHTML.slice(0, 120))")
    assert [each for each in planted if not each.startswith(OURS)] == []
    assert outputs.locator("mjx-container, .MathJax").count() == 0
    for way in ("agent replies", "test names", "the image's name"):
        shown = page.output(1 + VIEWS.index(WAYS[way])).all_text_contents()
        whole = " ".join(" ".join(shown).split())
        assert [line for line in HOSTILE if " ".join(text.clean(line).split()) not in whole] == [], way


def test_hostile_text_of_a_run_is_inert_and_whole_in_live_cells_and_in_the_archive(
    tmp_path: Path, lab: Lab, chromium: Browser
) -> None:
    run = keep(records.hostile(), tmp_path, "20250916-140211-hostile")
    lab.write("notebooks/01_deploy.ipynb")
    first = f"from runbook_lib.notebook import resume\nrun = resume({str(run.folder.path)!r})"
    live = lab.write("hostile_run.ipynb", first, *VIEWS)
    page = lab.open(chromium, live)
    seen = watch(page.page)
    page.run_all()
    expect(page.cell(len(VIEWS)).locator(".jp-InputPrompt")).to_have_text(f"[{len(VIEWS) + 1}]:")
    page.wait_idle()
    assert_inert_and_whole(page, seen)
    assert page.errors().count() == 0
    page.save(live)
    page.close()

    archived = lab.root / "archived.ipynb"
    archive_with({})
    papermill_io.write((lab.root / live).read_text("utf-8"), f"{SCHEME}{archived}")
    add_pictures(archived)
    page = lab.open(chromium, archived.name)
    seen = watch(page.page)
    assert_inert_and_whole(page, seen)
    page.page.screenshot(path=str(tmp_path / "archived.png"))
    page.close()
