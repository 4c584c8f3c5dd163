"""A pytest plugin that writes what happens as it happens, and runs only the chosen tests where some are.

It is given to suites by `-p` and PYTHONPATH, so it needs nothing but pytest, old or new, in any environment.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

LOG, ONLY = "RUNBOOK_PYTEST_LOG", "RUNBOOK_PYTEST_ONLY"
TEXT_CHARS = 12_000  # more than is shown: redaction takes off the ends, where a secret may be cut in two


def pytest_configure(config: pytest.Config) -> None:
    """Begin to write, where a file is named; xdist's workers report to the first process, which writes."""
    log = "" if hasattr(config, "workerinput") else os.environ.pop(LOG, "")  # not for pytests inside tests
    if log:
        config.pluginmanager.register(Scribe(Path(log)), "runbook-scribe")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out every test but the chosen ones, where the runbook runs some of them again."""
    chosen_file = os.environ.get(ONLY, "")
    if chosen_file:
        chosen = set(json.loads(Path(chosen_file).read_text(encoding="utf-8")))
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in chosen])
        items[:] = [item for item in items if item.nodeid in chosen]


class Scribe:
    """Appends one line of JSON for each thing that happens; what is written survives a crash."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._write(event="session")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell how many tests there are."""
        if session.items:
            self._write(event="collected", count=len(session.items))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell of a file that cannot be collected, or is skipped as a whole."""
        if report.outcome in ("failed", "skipped"):
            self._write(
                event="collect", test=report.nodeid or "collection", outcome=report.outcome,
                text=_text(report),
            )  # fmt: skip

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell which test begins."""
        self._write(event="start", test=nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell how the set-up, the call or the teardown of a test ended."""
        self._write(
            event="report", test=report.nodeid, when=report.when, outcome=report.outcome,
            xfail=hasattr(report, "wasxfail"), start=getattr(report, "start", None),
            duration_s=report.duration, text="" if report.passed else _text(report),
            output="\n".join(text for _, text in report.sections)[-TEXT_CHARS:],
        )  # fmt: skip

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tell that a test came to its end."""
        self._write(event="end", test=nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Tell that the session came to its end."""
        self._write(event="finish", exit=int(exitstatus))

    def _write(self, **record: Any) -> None:
        line = json.dumps({"time": time.time(), **record})
        with self._log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")


def _text(report: Any) -> str:
    """Return why, the error itself first."""
    why = getattr(report, "wasxfail", "") or report.longrepr
    text = why[-1] if isinstance(why, tuple) else str(why or "")
    message = getattr(getattr(why, "reprcrash", None), "message", "")
    return f"{message}\n{text}"[:TEXT_CHARS] if message else text[:TEXT_CHARS]
