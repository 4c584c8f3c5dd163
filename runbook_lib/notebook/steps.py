"""The steps as cells know them: what each is called, and the notebook that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Notebook:
    """One of the six notebooks, with the steps that it does; `05_report` judges, which is none."""

    file: str
    title: str
    steps: tuple[str, ...] = ()


NOTEBOOKS = (
    Notebook(file="01_deploy.ipynb", title="1 Deploy", steps=("deploy",)),
    Notebook(file="02_logs.ipynb", title="2 Logs", steps=("logs",)),
    Notebook(file="03_tests.ipynb", title="3 Tests", steps=("suites", "probes")),
    Notebook(file="04_metrics.ipynb", title="4 Metrics", steps=("metrics", "run_logs")),
    Notebook(file="05_report.ipynb", title="5 Report"),
    Notebook(file="06_rollback.ipynb", title="6 Rollback", steps=("rollback",)),
)

TITLES: Mapping[str, str] = {
    "deploy": "Deploy the candidate beside the baseline",
    "logs": "Read both start-up logs",
    "suites": "Run the suites against the candidate",
    "probes": "Probe both revisions with users of our own",
    "metrics": "Load both revisions and read their series",
    "run_logs": "Read what both revisions logged since",
    "promote": "Move traffic to the candidate",
    "rollback": "Return all traffic to the baseline",
    "judge": "Judge what was observed",
    "report": "Write the report",
}
