"""Show how far the comparison of pairs is while the load runs, in the judge's own figures and odds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from runbook_lib.errors import RunbookError
from runbook_lib.judging import judged_so_far
from runbook_lib.live.cloud import load_now
from runbook_lib.report import charts, load_tables, tables, text
from runbook_lib.run import Run
from runbook_lib.verdict import CriterionResult, LookSeen

_WIDTH, _HEIGHT = 220, 44
_FLOOR = -2.0


def live_evidence(run: Run, step: str) -> str:
    """Return safe HTML with what load and pairs say so far, or nothing where there is no load."""
    if step != "metrics":
        return ""
    load = load_now(run.folder)
    table = tables.to_html(load_tables.progress(load)) if load else ""
    return table + _pairs(run)


def _pairs(run: Run) -> str:
    try:
        results = judged_so_far(run.folder, run.plan)
    except RunbookError:  # the next look is whole again
        return ""
    drawn = "".join(_figure(result) for result in results)
    return f'<div style="display:flex;flex-wrap:wrap">{drawn}</div>' if drawn else ""


def _figure(result: CriterionResult) -> str:
    """Return the evidence of one criterion after each look as two lines; the caption says the same."""
    against, favour = ([getattr(look, name) for look in result.trail] for name in ("against", "favour"))
    lines = _line(result, against, result.alpha, charts.BOUND_COLOUR, "")
    lines += _line(result, favour, result.pass_alpha, charts.COLOURS["candidate"], "4 2")
    words = escape(_in_words(result))
    return (
        f'<figure style="margin:.4em 1.4em .4em 0;width:{_WIDTH}px">'
        f'<svg role="img" aria-label="{words}" width="{_WIDTH}" height="{_HEIGHT}">{lines}</svg>'
        f'<figcaption style="font-size:.8em">{words}</figcaption></figure>'
    )


def _in_words(result: CriterionResult) -> str:
    last = result.trail[-1]
    worse, within = text.odds(last.against), text.odds(last.favour)
    return f"{result.title}: {worse} to 1 for worse than tolerated, {within} to 1 for within the margin"


def _line(
    result: CriterionResult, powers: Sequence[float], alpha: float | None, colour: str, dash: str
) -> str:
    """Return a polyline whose upper edge is where the criterion is settled."""
    top = -math.log10(alpha) if alpha else 2.0
    places = [(0, 0.0), *((look.pairs, power) for look, power in zip(result.trail, powers, strict=True))]
    points = " ".join(f"{_x(pairs, result.trail):.0f},{_y(power, top):.0f}" for pairs, power in places)
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" '
        f'stroke-dasharray="{dash}"/>'
        f'<line x1="0" x2="{_WIDTH}" y1="1" y2="1" stroke="currentColor" stroke-opacity=".4" '
        'stroke-dasharray="1 3"/>'
    )


def _x(pairs: int, trail: Sequence[LookSeen]) -> float:
    return _WIDTH * pairs / max(1, trail[-1].pairs)


def _y(power: float, top: float) -> float:
    share = (min(max(power, _FLOOR), top) - _FLOOR) / (top - _FLOOR)
    return 1 + (_HEIGHT - 2) * (1 - share)
