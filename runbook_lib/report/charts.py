"""Draw the charts that notebooks and reports share; nothing to draw makes no figure (None)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from runbook_lib.evidence import Role, Session
from runbook_lib.evidence.logs import LogsEvidence
from runbook_lib.report import tables, text, thinning
from runbook_lib.verdict import CriterionResult

# The subject has the only hue, what it is compared with is grey, dashed and has open marks: so the two can be
# told apart by every kind of eye and on paper. Both have a contrast above 3:1 on white and on near-black.
COLOURS: dict[Role, str] = {"candidate": "#0072B2", "baseline": "#8C9199"}
_DASH: dict[Role, str] = {"candidate": "solid", "baseline": "dash"}
_MARK: dict[Role, str] = {"candidate": "circle", "baseline": "diamond-open"}
_PATTERN = {"candidate": {"shape": ""}, "baseline": {"shape": "/"}}
BOUND_COLOUR = "#B35309"
GRAVITY_COLOURS = {"below WARNING": "#9DB4C0", "WARNING": "#C98A00", "ERROR and above": "#B3261E"}
_AXIS = {"gridcolor": "#E3E5E8", "linecolor": "#8C9199", "zeroline": False, "ticks": "outside", "ticklen": 4,
         "automargin": True, "title": {"standoff": 12, "font": {"size": 13}}}  # fmt: skip
TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif", "size": 13,
                 "color": "#1F2328"},
        "paper_bgcolor": "#FFFFFF", "plot_bgcolor": "#FFFFFF", "xaxis": _AXIS, "yaxis": _AXIS,
        "margin": {"l": 60, "r": 24, "t": 30, "b": 50}, "hovermode": "closest", "bargap": 0.4,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
    }
)  # fmt: skip
"""Light and plain; also what makes a report's figure and a notebook's figure look alike."""


def drawn_points(figure: go.Figure | None) -> str:
    """Return in a sentence which points of its lines a figure shows; empty where it shows all."""
    meta = figure.layout.meta if figure else None
    return str(meta["drawn"]) if meta else ""


def event_waterfall(session: Session | None, expected: Sequence[str] = ()) -> go.Figure | None:
    """Return one bar per event of an answer, from the event before it to its own arrival.

    Args:
        session: The session to draw.
        expected: Event types that should have come; those that did not have a row that says so.
    """
    if session is None or not session.events:
        return None
    came = [event.at_s * 1000 for event in session.events]
    names = [f"{place} {_plain(event.type)}" for place, event in enumerate(session.events, 1)]
    starts = [0.0, *came[:-1]]
    figure = _figure("milliseconds since the message was sent", "", height=90 + 34 * len(names))
    figure.add_bar(
        orientation="h", y=names, base=starts,
        x=[end - start for start, end in zip(starts, came, strict=True)],
        text=[f"{at:,.0f} ms" for at in came], textposition="outside", cliponaxis=False,
        marker_color=COLOURS[session.role], hovertemplate="%{y}: %{text}<extra></extra>",
    )  # fmt: skip
    _add_missing(figure, [name for name in expected if name not in {event.type for event in session.events}])
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(range=[0, max(came) * 1.15 or 1])
    return figure


def latency_ecdf(load: pd.DataFrame | None, column: str, bound_s: float | None = None) -> go.Figure | None:
    """Return the share of sessions that were at most so slow, a line per role; the bound is a vertical line.

    A line that ends below 100 % says that the rest of its sessions never got there.

    Args:
        load: One row per load session, columns as the fields of `evidence.Session`.
        column: `connect_s` or `answer_s`.
        bound_s: The plan's bound.
    """
    figure = _figure("seconds (logarithmic)", "share of sessions")
    for role in COLOURS:
        values = tables.role_values(load, role, column)
        seen = np.sort(values[values > 0].to_numpy(dtype=float))
        if len(seen):
            places = thinning.evenly(len(seen))
            _say_drawn(figure, len(places), len(seen), "sessions of a line, evenly by rank")
            figure.add_scatter(
                x=seen[places].tolist(), y=((places + 1) / len(values)).tolist(), name=role, mode="lines",
                line={"shape": "hv", "dash": _DASH[role], "color": COLOURS[role], "width": 2.5},
                hovertemplate=f"{role}: %{{y:.0%}} within %{{x:.3f}} s<extra></extra>",
            )  # fmt: skip
    if not figure.data:
        return None
    if bound_s is not None:
        # A trace, not a shape: so the bound is within the axis' range and named in the legend.
        figure.add_scatter(
            x=[bound_s, bound_s], y=[0, 1], name=f"bound {text.number(bound_s)} s", mode="lines",
            hoverinfo="name", line={"color": BOUND_COLOUR, "width": 2, "dash": "dot"},
        )  # fmt: skip
    ends = [value for trace in figure.data for value in trace.x]
    decades = max(ends) > 30 * min(ends)
    figure.update_xaxes(type="log", tickformat="~g", dtick=1 if decades else None)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.04])
    return figure


def metric_series(points: pd.DataFrame | None, metric: str = "memory") -> go.Figure | None:
    """Return the cloud's series whose name contains `metric`, a line per role over UTC time.

    Args:
        points: One row per point, columns `time`, `role`, `metric`, `value`, `unit`.
        metric: Part of the metric's name.
    """
    own = {role: tables.series_of(points, metric, role) for role in COLOURS}
    units = [str(unit) for series in own.values() for unit in series["unit"]]
    if not units:
        return None
    shown_unit = "share of the limit" if units[0] == "ratio" else _plain(units[0])
    figure = _figure("time (UTC)", f"{_plain(metric)} ({shown_unit})")
    for role, series in own.items():
        if len(series):
            places = thinning.extremes(series["value"].tolist())
            _say_drawn(figure, len(places), len(series), "points of a line")
            shown = series.iloc[places]
            figure.add_scatter(
                x=[_utc(time) for time in shown["time"]],
                y=[float(value) for value in shown["value"]], name=role, mode="lines+markers",
                line={"dash": _DASH[role], "color": COLOURS[role]},
                marker={"color": COLOURS[role], "symbol": _MARK[role], "size": 7},
            )  # fmt: skip
    figure.update_yaxes(rangemode="tozero", tickformat=".0%" if units[0] == "ratio" else None)
    return figure


def startup_severities(logs: LogsEvidence | None) -> go.Figure | None:
    """Return a group of bars per severity: log entries in the start-up window of each revision."""
    names = tables.severity_order(logs)
    if logs is None or not names:
        return None
    figure = _figure("severity", "log entries")
    for role in COLOURS:
        tally = logs.counts.get(role)
        if tally is not None:
            values = [tally.get(name, 0) for name in names]
            figure.add_bar(
                x=[_plain(name) for name in names], y=values, text=values, textposition="outside",
                name=role, cliponaxis=False, marker={"color": COLOURS[role], "pattern": _PATTERN[role]},
            )  # fmt: skip
    figure.update_yaxes(rangemode="tozero", tickformat=",d")
    figure.update_layout(bargap=max(0.4, 1 - 0.15 * len(names)))  # few severities keep slim bars
    return figure


def log_timeline(counted: pd.DataFrame, moments: Mapping[str, datetime]) -> go.Figure | None:
    """Return log entries over time, a row per role and a colour per gravity; what happened is marked.

    Args:
        counted: As `log_tables.timeline` returns it.
        moments: What happened when; its name stands beside a vertical line.
    """
    if counted.empty:
        return None
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.06)
    named: set[str] = set()
    for row, role in enumerate(COLOURS, 1):
        for gravity, colour in GRAVITY_COLOURS.items():
            mine = counted[(counted["role"] == role) & (counted["gravity"] == gravity)]
            figure.add_bar(
                x=[_utc(time) for time in mine["time"]], y=list(mine["count"]), name=gravity, row=row, col=1,
                marker_color=colour, showlegend=gravity not in named, legendgroup=gravity, offset=0,
                width=1000 * float(counted["span_s"].iloc[0]),
                hovertemplate=f"{role}: %{{y}} entries {gravity}<extra></extra>",
            )  # fmt: skip
            named |= {gravity} if len(mine) else set()  # plotly names no trace without bars
        figure.update_yaxes(title_text=f"{role}, entries", rangemode="tozero", row=row, col=1)
    for place, (name, moment) in enumerate(moments.items()):
        figure.add_shape(
            type="line", x0=_utc(moment), x1=_utc(moment), y0=0, y1=1, yref="paper",
            line={"color": COLOURS["baseline"], "width": 1, "dash": "dot"},
        )  # fmt: skip
        figure.add_annotation(
            x=_utc(moment), y=1 - place % 2, yref="paper", text=_plain(name), textangle=-90,
            showarrow=False, xanchor="left", yanchor="bottom" if place % 2 else "top", font={"size": 11},
        )  # fmt: skip
    figure.update_xaxes(title_text="time (UTC)", row=2, col=1)
    figure.update_layout(template=TEMPLATE, height=420, barmode="stack")
    return figure


def top_templates(found: pd.DataFrame) -> go.Figure | None:
    """Return two bars, one for each role, for each frequent kind of message.

    Args:
        found: As `log_tables.common_templates` returns it.
    """
    if found.empty:
        return None
    names = [f"{place} {_plain(_cut(name))}" for place, name in enumerate(found["Template"], 1)]
    figure = _figure("lines", "", height=110 + 38 * len(names))
    for role in COLOURS:
        figure.add_bar(
            orientation="h", y=names, x=[int(count) for count in found[role.capitalize()]], name=role,
            marker={"color": COLOURS[role], "pattern": _PATTERN[role]},
        )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False)
    few = found[["Candidate", "Baseline"]].astype(int).to_numpy().max() < 8
    figure.update_xaxes(rangemode="tozero", tickformat=",d", dtick=1 if few else None)
    return figure


def evidence_trail(result: CriterionResult) -> go.Figure | None:
    """Return what the pairs of one criterion had shown after each look: against the candidate, and for it.

    A line that reaches its threshold has settled the criterion; both begin at 1 to 1.
    """
    if not result.trail:
        return None
    figure = _figure("pairs of sessions", "evidence, in powers of ten")
    looks = tables.drawn_looks(result, thinning.MOST_POINTS)
    _say_drawn(figure, len(looks), len(result.trail), "looks")
    pairs = [0, *(look.pairs for look in looks)]
    lines = (
        ("worse than tolerated", [look.against for look in looks], result.alpha, BOUND_COLOUR, "solid"),
        ("within the margin", [look.favour for look in looks], result.pass_alpha,
         COLOURS["candidate"], "dash"),
    )  # fmt: skip
    for name, powers, alpha, colour, dash in lines:
        figure.add_scatter(
            x=pairs, y=[0.0, *powers], name=name, mode="lines+markers", marker={"size": 6},
            line={"color": colour, "dash": dash, "width": 2.5},
            hovertemplate=f"{name}: 10^%{{y:.1f}} to 1 after %{{x}} pairs<extra></extra>",
        )  # fmt: skip
        if alpha:
            figure.add_scatter(
                x=[0, pairs[-1]], y=[-math.log10(alpha)] * 2, mode="lines+text", showlegend=False,
                text=[f"settled at {text.number(1 / alpha)} to 1"], textposition="top right",
                hoverinfo="skip", line={"color": colour, "width": 1.5, "dash": "dot"},
                textfont={"color": colour, "size": 11},
            )  # fmt: skip
    figure.update_xaxes(rangemode="tozero")
    return figure


def _figure(x_title: str, y_title: str, height: int = 300) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(template=TEMPLATE, height=height, colorway=list(COLOURS.values()))
    figure.update_xaxes(title_text=x_title)
    figure.update_yaxes(title_text=y_title)
    return figure


def _say_drawn(figure: go.Figure, drawn: int, count: int, what: str) -> None:
    """Keep in the figure, for `drawn_points`, that it shows fewer points than there are."""
    if drawn < count:
        words = f"Drawn from {drawn:,} of {count:,} {what}, both ends and the extremes among them."
        figure.update_layout(meta={"drawn": words})


def _add_missing(figure: go.Figure, names: Sequence[str]) -> None:
    for name in names:
        figure.add_bar(
            orientation="h", y=[f"– {_plain(name)}"], x=[0], text=["did not come"], textposition="outside",
            cliponaxis=False, showlegend=False, hoverinfo="skip",
        )  # fmt: skip
    figure.update_layout(barmode="overlay", showlegend=False)


def _utc(time: datetime) -> str:
    return f"{pd.Timestamp(time).tz_convert('UTC'):%Y-%m-%d %H:%M:%S.%f}"


def _cut(words: str, most: int = 60) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"


def _plain(words: str) -> str:
    """Return text that plotly shows as it is: it reads tags, links and entities in every label."""
    return escape(text.clean(words), quote=False)
