"""Show log entries on the terminal, those that were read and those that come."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from rich.console import Console
from rich.text import Text

from runbook_lib.evidence.logs import SEVERE, SEVERITIES
from runbook_lib.ports.logs import LogNews
from runbook_lib.redact import secrets_of
from runbook_lib.report.text import clean, milliseconds, shortened

_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)


def show_entries(entries: pd.DataFrame, roles: Mapping[str, str], least: str) -> None:
    """Print log entries, one after the other: time (UTC), severity, role, what was said.

    Args:
        entries: Columns as in `ports.logs.Logs.read`.
        roles: Role of each revision, by its name.
        least: Entries of a lower severity are not shown.
    """
    lower = SEVERITIES[: SEVERITIES.index(least)]
    for row in entries[~entries["severity"].isin(lower)].to_dict("records"):
        start = f"{row['time']:%H:%M:%S} {row['severity']:<8} {roles.get(row['revision'], ''):<9}  "
        _out.print(Text(start, style=_style(row["severity"])) + Text(_said(row)), soft_wrap=True)


def show_news(news: LogNews, roles: Mapping[str, str], least: str) -> None:
    """Print what came of a live log, and on stderr what did not."""
    if news.missed_s:
        _aside(f"the stream was broken for {news.missed_s:.1f} s: what was logged meanwhile is missing here")
    show_entries(news.entries, roles, least)
    for reason, count in news.suppressed.items():
        _aside(f"Cloud Logging left out {count:,} entries: {reason.replace('_', ' ')}")


def _aside(text: str) -> None:
    _err.print(Text(text, style="dim"), soft_wrap=True)


def _style(severity: str) -> str:
    return "red" if severity in SEVERE else "yellow" if severity == "WARNING" else "dim"


def _said(row: Mapping[Hashable, Any]) -> str:
    answered = "" if pd.isna(row["status"]) else f"{row['status']} in {milliseconds(row['latency_s'])}  "
    words = "\n".join(filter(None, (row["message"], row["stack"])))
    return answered + clean(shortened(words), secrets_of(os.environ))
