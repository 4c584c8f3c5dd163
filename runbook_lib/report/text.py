"""Put values into words that every renderer shares; nothing is decided and nothing is read here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from runbook_lib.evidence import Measurement
from runbook_lib.judge.paired_text import in_words
from runbook_lib.redact import plain, redact
from runbook_lib.verdict import CriterionResult, Outcome

NOT_OBSERVED = "not observed"
_SYMBOLS = {Outcome.PASS: "✓", Outcome.INCONCLUSIVE: "?", Outcome.ERROR: "!", Outcome.FAIL: "✗"}
# What no reader can see but a terminal, an XML parser or the direction of the text obeys.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_SINGULAR = {"answers": "answer", "clauses": "clause", "entries": "entry", "polls": "poll",
             "requests": "request", "sessions": "session", "starts": "start", "templates": "template",
             "tests": "test"}  # fmt: skip


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` redacted, without terminal sequences and without invisible characters."""
    return redact(visible(plain(text)), secrets)


def visible(text: str) -> str:
    """Return `text` without the characters that no reader can see."""
    return _UNSEEN.sub("", text)


def outcome_word(outcome: Outcome | None) -> str:
    """Return a symbol and the outcome's name, so that colour is never needed to read it."""
    return NOT_OBSERVED if outcome is None else f"{_SYMBOLS[outcome]} {outcome.name}"


def number(value: float) -> str:
    """Return `value` with three significant digits, whole from a thousand on."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def quantity(value: float | None, unit: str) -> str:
    """Return a value with its unit; a ratio (0 to 1) also in percent; a missing one as `not observed`."""
    if value is None or not math.isfinite(value):
        return NOT_OBSERVED
    if unit == "ratio":
        return f"{number(value)} ({number(value * 100)} %)"
    if unit == "ready":
        return "ready" if value else "not ready"
    return f"{number(value)} {_SINGULAR.get(unit, unit) if value == 1 else unit}".strip()


def bounded(bound: str, unit: str) -> str:
    """Return the judge's bound, with its unit where it is one plain number."""
    plain = re.fullmatch(r"[≤≥<>=]+ [\d.,e+-]+", bound) and unit not in ("ratio", "ready")
    return f"{bound} {unit}" if plain else bound


def sensitivity(result: CriterionResult) -> str:
    """Return what could have been overlooked, or could not, e.g. `1 in 14 would have shown`; or nothing."""
    if not result.detectable:
        return ""
    if result.effect_unit:
        return f"{difference(result.detectable, result.effect_unit)} shows half the time"
    one_in = math.floor(1 / result.detectable)
    return f"1 in {one_in:,} would have shown" if one_in > 1 else "too few to show what is rare"


def difference(value: float, unit: str) -> str:
    """Return the effect of a comparison: `× 1.03`, or percentage points with their sign."""
    if unit in ("times", "ratio"):
        return in_words(value, unit)
    return f"{number(value)} {unit}"


def effect(result: CriterionResult) -> str:
    """Return the effect with its interval, in words; empty where there is none."""
    if result.effect is None:
        return ""
    unit = result.effect_unit or result.unit
    seen = difference(result.effect, unit)
    if result.interval is None:
        return seen
    low, high = (difference(bound, unit) for bound in result.interval)
    return f"{seen}, between {low} and {high}"


def odds(power: float) -> str:
    """Return a power of ten as odds."""
    return number(10**power) if power < 6 else f"10^{power:.0f}"


def measured(measurement: Measurement | None) -> str:
    """Return the value of a measurement in words."""
    return quantity(measurement.value, measurement.unit) if measurement else NOT_OBSERVED


def change(candidate: Measurement | None, baseline: Measurement | None) -> str:
    """Return candidate less baseline with its sign; ratios in percentage points (`pp`)."""
    values = [m.value if m else None for m in (candidate, baseline)]
    if candidate is None or values[0] is None or values[1] is None:
        return NOT_OBSERVED
    unit = candidate.unit
    factor, unit = (100, "pp") if unit == "ratio" else (1, unit)
    difference = factor * (values[0] - values[1])
    return f"{'-' if difference < 0 else '+'}{number(abs(difference))} {unit}"


def milliseconds(seconds: float | None) -> str:
    """Return seconds as milliseconds, from 10 s on as seconds."""
    if seconds is None or not math.isfinite(seconds):
        return NOT_OBSERVED
    return f"{seconds:.1f} s" if seconds >= 10 else f"{seconds * 1000:,.0f} ms"


def span(seconds: float | None) -> str:
    """Return a length of time as a person would say it, e.g. `4 min 12 s`."""
    if seconds is None:
        return NOT_OBSERVED
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def moment(time: datetime | None) -> str:
    """Return a time in UTC to the second."""
    return NOT_OBSERVED if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def times(count: int, message: str) -> str:
    """Return a message with how often it came, where that is more than once."""
    return message if count == 1 else f"{count:,} × {message}"


def shortened(message: str, most: int = 2000) -> str:
    """Return a text that a table can hold; what is left out is counted."""
    left = len(message) - most
    return message if left <= 0 else f"{message[:most]}… and {left:,} characters more"


def both_ends(message: str, most: int = 20_000) -> str:
    """Return the beginning and the end of a text that is too long, cleaned; what is left out is counted."""
    whole = clean(message)
    left = len(whole) - most
    if left <= 0:
        return whole
    return f"{whole[: most // 2]}\n… {left:,} characters left out …\n{whole[-(most // 2) :]}"
