"""Draw how the runs of a service went over time; nothing to draw makes no figure (None)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from runbook_lib.evidence import Role
from runbook_lib.report.charts import BOUND_COLOUR, COLOURS, GRAVITY_COLOURS, TEMPLATE
from runbook_lib.report.figures import Chart
from runbook_lib.report.html import page
from runbook_lib.verdict import Outcome

_SHAPES = {"PROCEED_TO_PRODUCTION": "circle", "INVESTIGATE": "diamond-open", "ROLLBACK": "x"}
_LINES: dict[Role, str] = {"candidate": "solid", "baseline": "dash"}
_BARS = {
    Outcome.FAIL: GRAVITY_COLOURS["ERROR and above"],
    Outcome.ERROR: BOUND_COLOUR,
    Outcome.INCONCLUSIVE: GRAVITY_COLOURS["below WARNING"],
}


def trend(runs: pd.DataFrame) -> go.Figure | None:
    """Return two rows over the runs in their order: what an answer took, and the criteria that did not pass.

    A mark's shape is the run's verdict, so that no colour is needed to read it.

    Args:
        runs: One row per run, oldest first; columns `label` (short, one of its own for each run), `action`,
            `candidate_s`, `baseline_s` (NaN or infinite where there is none), and one for each outcome.
    """
    times = runs.reindex(columns=[f"{role}_s" for role in _LINES]).to_numpy(dtype=float)
    if not np.isfinite(times).any():
        return None
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.08, row_heights=[0.62, 0.38])
    labels = list(runs["label"])
    for role, dash in _LINES.items():
        seconds = runs[f"{role}_s"].to_numpy(dtype=float)
        figure.add_scatter(
            x=labels, y=[value if np.isfinite(value) else None for value in seconds], name=role, row=1, col=1,
            mode="lines+markers", line={"dash": dash, "color": COLOURS[role], "width": 2.5},
            marker={"size": 10, "color": COLOURS[role],
                    "symbol": [_SHAPES.get(action, "line-ns-open") for action in runs["action"]]},
            text=list(runs["action"]), hovertemplate=f"{role}: %{{y:.3f}} s<br>%{{text}}<extra></extra>",
        )  # fmt: skip
    for outcome, colour in _BARS.items():
        figure.add_bar(
            x=labels, y=[int(count) for count in runs[outcome.name]], name=outcome.name, row=2, col=1,
            marker_color=colour, hovertemplate=f"%{{y}} {outcome.name}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(template=TEMPLATE, height=460, barmode="stack")
    figure.update_xaxes(type="category")
    figure.update_xaxes(title_text="run, by its start (UTC)", row=2, col=1)
    figure.update_yaxes(title_text="answer, median (s)", rangemode="tozero", row=1, col=1)
    most = int(runs[[outcome.name for outcome in _BARS]].sum(axis=1).max())
    figure.update_yaxes(
        title_text="criteria not passed", range=[0, max(most, 1) * 1.1], dtick=1 if most < 8 else None,
        row=2, col=1,
    )  # fmt: skip
    return figure


def render(title: str, sentence: str, table: pd.DataFrame, runs: pd.DataFrame, skipped: Sequence[str]) -> str:
    """Return the history as one HTML file that needs no network.

    Args:
        title: What it is the history of.
        sentence: How the runs ended.
        table: One row per run, in words.
        runs: As `trend` takes it.
        skipped: What was left out, and why.
    """
    drawn = Chart(
        id="trend", title="Verdicts and times", figure=trend(runs), numbers=table,
        absent="No run was put under load.",
        reading="Circle: proceed; diamond: investigate; cross: rollback. Times are those under load.",
    )  # fmt: skip
    return page("history.html.j2", (drawn,), title=title, sentence=sentence, runs=table, skipped=skipped)
