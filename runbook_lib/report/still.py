"""Draw a report's figure as a still picture (PNG) without a browser, for GitHub, mail and paper."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from io import BytesIO
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, ScalarFormatter

_WIDTH_PX, _PX_PER_INCH, _CHARACTER_PX = 860, 100, 6.3
_DASHES = {"solid": "-", "dash": "--", "dot": ":"}
_MARKS = {"circle": "o", "diamond-open": "D"}
_KEPT, _KEPT_OF_AXIS = ("height", "barmode", "showlegend"), ("title", "type", "tickformat", "rangemode")
_INK, _GRID = "#1F2328", "#E3E5E8"


def draw(figure: Mapping[str, Any]) -> bytes:
    """Return the PNG of a figure given as plotly's JSON: bars and lines, of which our charts are made.

    The same figure is drawn once: notebooks and report share theirs, whatever paper they stand on.
    """
    layout = {
        name: _kept(name, value)
        for name, value in figure["layout"].items()
        if name in _KEPT or name[1:5] == "axis"
    }
    return _drawn(json.dumps({"data": figure["data"], "layout": layout}, sort_keys=True))


def _kept(name: str, value: Any) -> Any:
    """Return what a still shows of one part of a layout."""
    return {each: value.get(each) for each in _KEPT_OF_AXIS} if name[1:5] == "axis" else value


@lru_cache(maxsize=64)
def _drawn(figure_json: str) -> bytes:
    figure = json.loads(figure_json)
    layout = figure["layout"]
    height = float(layout.get("height", 300))
    inches = (_WIDTH_PX / _PX_PER_INCH, height / _PX_PER_INCH)
    picture = Figure(figsize=inches, dpi=144)
    FigureCanvasAgg(picture)
    names = sorted({str(trace.get("yaxis", "y")) for trace in figure["data"]})
    places = picture.subplots(max(1, len(names)), 1, sharex=True, squeeze=False)[:, 0]
    for name, axes in zip(names, places, strict=False):
        _draw_part(axes, [t for t in figure["data"] if str(t.get("yaxis", "y")) == name], layout, name)
    _leave_room(picture, places, height)
    buffer = BytesIO()
    picture.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _leave_room(picture: Figure, places: Iterable[Axes], height: float) -> None:
    """Set the margins by what stands in them: an engine that measures draws everything twice."""
    names = [str(name) for axes in places for name in getattr(axes, "slots", []) if axes.yaxis_inverted()]
    longest = max((len(_cut(name)) for name in names), default=0)
    legends = any(axes.get_legend() for axes in places)
    picture.subplots_adjust(
        left=max(70, 24 + _CHARACTER_PX * longest) / _WIDTH_PX, right=1 - 40 / _WIDTH_PX,
        bottom=52 / height, top=1 - (34 if legends else 14) / height, hspace=0.32,
    )  # fmt: skip


def _draw_part(axes: Axes, traces: list[dict[str, Any]], layout: Mapping[str, Any], name: str) -> None:
    bars = [trace for trace in traces if trace["type"] == "bar"]
    stacked: dict[Any, float] = {}
    for trace in traces:
        if trace["type"] == "bar":
            _draw_bars(axes, trace, bars.index(trace), len(bars), layout, stacked)
        else:
            _draw_line(axes, trace)
    _style(axes, traces, layout, name)


def _draw_line(axes: Axes, trace: Mapping[str, Any]) -> None:
    line, mark = trace.get("line", {}), trace.get("marker", {})
    marked = "markers" in trace.get("mode", "")
    symbol = _MARKS.get(str(mark.get("symbol", "circle")), "o") if marked else None
    shown = trace.get("showlegend", True) is not False and trace.get("name")
    axes.plot(
        [_value(x) for x in trace["x"]], list(trace["y"]), color=line.get("color"), marker=symbol,
        markersize=4, drawstyle="steps-post" if line.get("shape") == "hv" else "default",
        linestyle=_DASHES.get(str(line.get("dash", "solid")), "-"), linewidth=line.get("width", 2) * 0.8,
        label=_words(trace["name"]) if shown else None,
    )  # fmt: skip
    for x, y, text in _texts(trace):
        axes.annotate(text, (_value(x), y), xytext=(0, 3), textcoords="offset points", fontsize=8,
                      color=line.get("color", _INK))  # fmt: skip


def _draw_bars(
    axes: Axes, trace: Mapping[str, Any], place: int, count: int, layout: Mapping[str, Any],
    stacked: dict[Any, float],
) -> None:  # fmt: skip
    if not len(trace["x"]):
        return
    flat = trace.get("orientation") == "h"
    at, lengths = (trace["y"], trace["x"]) if flat else (trace["x"], trace["y"])
    names = [_words(each) if flat else _value(each) for each in at]
    together = layout.get("barmode") in ("stack", "overlay", "relative")
    width = 0.6 if together else 0.7 / count
    if isinstance(names[0], datetime):
        spots, width = names, _span_days(trace, names)
    else:
        aside = 0.0 if together else (place - (count - 1) / 2) * width
        spots = [_slot(axes, each) + aside for each in names]
    stacks = layout.get("barmode") == "stack"
    starts = trace.get("base") or [stacked.get(each, 0.0) if stacks else 0.0 for each in names]
    for each, length in zip(names, lengths, strict=True):
        stacked[each] = stacked.get(each, 0.0) + float(length)
    if flat:
        axes.barh(spots, list(lengths), height=width, left=list(starts), **_look(trace))
    else:
        axes.bar(spots, list(lengths), width=width, bottom=list(starts), **_look(trace))
    for spot, start, length, (_, _, text) in zip(spots, starts, lengths, _texts(trace), strict=False):
        end = start + float(length)
        axes.annotate(text, (end, spot) if flat else (spot, end), textcoords="offset points", fontsize=8,
                      xytext=(4, 0) if flat else (0, 2), va="center" if flat else "bottom",
                      ha="left" if flat else "center", color=_INK)  # fmt: skip


def _look(trace: Mapping[str, Any]) -> dict[str, Any]:
    marker = trace.get("marker", {})
    hatch = "//" if marker.get("pattern", {}).get("shape") else None
    return {"color": marker.get("color"), "hatch": hatch, "edgecolor": "white" if hatch else None,
            "label": _words(trace["name"]) if trace.get("name") else None}  # fmt: skip


def _slot(axes: Axes, name: Any) -> float:
    """Return the place of a category on its axis, new ones behind the others."""
    known: list[Any] = getattr(axes, "slots", [])
    if name not in known:
        known.append(name)
    axes.slots = known  # type: ignore[attr-defined]
    return float(known.index(name))


def _span_days(trace: Mapping[str, Any], times: list[Any]) -> float:
    width = trace.get("width")
    if width is not None:
        return float(width[0] if isinstance(width, (list, tuple)) else width) / 86_400_000
    gaps = [(after - before).total_seconds() for before, after in pairwise(sorted(set(times)))]
    return (min(gaps) if gaps else 1.0) / 86_400


def _style(axes: Axes, traces: list[dict[str, Any]], layout: Mapping[str, Any], name: str) -> None:
    across = layout.get("xaxis" + name[1:], layout.get("xaxis", {}))
    up = layout.get("yaxis" + name[1:], {})
    axes.set_xlabel(_title(across), fontsize=9)
    axes.set_ylabel(_title(up), fontsize=9)
    axes.tick_params(labelsize=8, colors=_INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    _scale(axes, across, up)
    _date_axis(axes, traces)
    if names := getattr(axes, "slots", []):
        flat = any(trace.get("orientation") == "h" for trace in traces)
        (axes.set_yticks if flat else axes.set_xticks)(range(len(names)), [_cut(str(each)) for each in names])
        (axes.set_ylim if flat else axes.set_xlim)(-0.75, max(len(names) - 1, 0 if flat else 2) + 0.75)
        if flat:
            axes.invert_yaxis()
    if layout.get("showlegend") is not False and len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=8)


def _scale(axes: Axes, across: Mapping[str, Any], up: Mapping[str, Any]) -> None:
    if across.get("type") == "log":
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(ScalarFormatter())
    if "%" in str(up.get("tickformat", "")):
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    if up.get("rangemode") == "tozero":
        axes.set_ylim(0, axes.dataLim.ymax * 1.1 or 1)
    if across.get("rangemode") == "tozero":
        axes.set_xlim(left=0)


def _date_axis(axes: Axes, traces: list[dict[str, Any]]) -> None:
    if any(isinstance(_value(x), datetime) for trace in traces for x in trace["x"][:1]):
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _texts(trace: Mapping[str, Any]) -> Iterator[tuple[Any, Any, str]]:
    text = trace.get("text")
    if text is None or ("mode" in trace and "text" not in trace["mode"]):
        return
    yield from ((x, y, _words(t)) for x, y, t in zip(trace["x"], trace["y"], text, strict=False))


def _title(axis: Mapping[str, Any]) -> str:
    title = axis.get("title") or {}
    return _words(title.get("text", "") if isinstance(title, Mapping) else title)


def _value(x: Any) -> Any:
    """Return a time as plotly spells it as a time; everything else as it is."""
    if isinstance(x, str) and x[:4].isdigit() and x[4:5] == "-":
        return datetime.fromisoformat(x)
    return x


def _words(text: Any) -> str:
    """Return a label as it reads: plotly's entities undone, and no mathematics in it."""
    return html.unescape(str(text)).replace("$", r"\$")


def _cut(words: str, most: int = 44) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"
