"""Say which kinds of message are new in the candidate, gone, or grown. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

import pandas as pd

from runbook_lib.evidence.logs import SEVERE, SEVERITIES, LogTemplate, TemplateChange, weights
from runbook_lib.steps.log_reading import shortened
from runbook_lib.steps.log_templates import stack_of, templates

_MOST = 200
_ORDER: tuple[TemplateChange, ...] = ("new", "grown", "gone", "same", "known")
_ALPHA = 0.01


def compare(entries: pd.DataFrame, noise: Sequence[str] = ()) -> tuple[LogTemplate, ...]:
    """Return the templates of all lines, news first, then by severity and number, at most 200.

    Requests are left out: their statistics tell more. A message counts with its severity, so that what was
    a warning and is an error now is new.

    Args:
        entries: One row per entry, columns as in `ports.logs.Logs.read`, and `role`.
        noise: Regular expressions of messages that are known and not to be told as new.
    """
    lines = entries[entries["log"] != "requests"].sort_values("time", kind="stable")
    names = sorted(filter(None, lines["revision"].unique()), key=len, reverse=True)
    lines = lines.assign(template=lines["message"].map(templates(lines["message"].unique(), names)))
    totals = weights(lines).groupby(lines["role"]).sum()
    groups = lines.groupby(["template", lines["severity"].isin(SEVERE)], sort=False)
    alpha = _ALPHA / max(1, len(groups))
    found = [_template(group, totals, noise, alpha) for _, group in groups]
    return tuple(sorted(found, key=_rank)[:_MOST])


def novel_errors(found: Sequence[LogTemplate]) -> tuple[LogTemplate, ...]:
    """Return the templates of severity ERROR and above that only the candidate has, and that are no noise."""
    return tuple(each for each in found if each.change == "new" and each.severity in SEVERE)


def _template(group: pd.DataFrame, totals: pd.Series[int], noise: Sequence[str], alpha: float) -> LogTemplate:
    mine = group[group["role"] == "candidate"]
    first = (mine if len(mine) else group).iloc[0]
    candidate = int(weights(mine).sum())
    baseline = int(weights(group).sum()) - candidate
    shares = candidate, baseline, int(totals.get("candidate", 0)), int(totals.get("baseline", 0))
    known = any(re.search(pattern, first["message"]) for pattern in noise)
    return LogTemplate(
        template=first["template"],
        change="known" if known else _change(*shares, alpha),
        severity=max(group["severity"], key=_gravity),
        candidate=candidate,
        baseline=baseline,
        first=first["time"],
        example=shortened(first["message"].partition("\n")[0]),
        stack=shortened("\n".join(filter(None, (stack_of(first["message"]), first["stack"])))),
    )


def _change(
    candidate: int, baseline: int, candidate_lines: int, baseline_lines: int, alpha: float
) -> TemplateChange:
    if not baseline:
        return "new"
    if not candidate:
        return "gone"
    share = candidate_lines / (candidate_lines + baseline_lines)
    return "grown" if chance_of(candidate, candidate + baseline, share) < alpha else "same"


def chance_of(hits: int, tries: int, ratio: float) -> float:
    """Return how probable so many hits or more are among `tries`, if each hits with probability `ratio`.

    Source: Przyborowski and Wilenski (1940), the conditional test of two Poisson rates.
    """
    if ratio >= 1 or hits <= 0:
        return 1.0
    if hits <= tries * ratio:
        return 1 - math.fsum(_falling(range(hits - 1, -1, -1), tries, ratio))
    return math.fsum(_falling(range(hits, tries + 1), tries, ratio))


def _falling(numbers: range, tries: int, ratio: float) -> Iterator[float]:
    """Yield the binomial probabilities of numbers that go away from the mean, until they no longer count."""
    least = 0.0
    for k in numbers:
        log = (
            math.lgamma(tries + 1) - math.lgamma(k + 1) - math.lgamma(tries - k + 1)
            + k * math.log(ratio) + (tries - k) * math.log1p(-ratio)
        )  # fmt: skip
        term = math.exp(log)
        least = least or term * 1e-18
        if term < least:
            return
        yield term


def _gravity(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else 0


def _rank(each: LogTemplate) -> tuple[int, int, int, str]:
    count = each.candidate + each.baseline
    return (_ORDER.index(each.change), -_gravity(each.severity), -count, each.template)
