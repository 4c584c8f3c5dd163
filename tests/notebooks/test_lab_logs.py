"""Hostile log lines, from the service's log through the notebook's own step, as JupyterLab shows them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cloud import PROJECT, REGION, Staging
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from google.cloud.logging_v2.types import LogEntry
from lab import Lab
from playwright.sync_api import Browser, expect

from runbook_lib.evidence import DeployEvidence
from runbook_lib.gcp.channels import channel_to
from runbook_lib.plan.file import dump_plan
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

    for line, text in LINES.items():
        assert (text or line) in shown
    assert page.page.evaluate("window.pwned") is None
    assert page.output(1).locator("img, script, a").count() == 0
    assert not set("\x1b\u202e\u2066") & set(shown)
    assert len(shown) < 20_000
    assert (page.errors().count(), page.requests) == (0, [])
    page.page.screenshot(path=str(tmp_path / "hostile.png"))
    page.close()
