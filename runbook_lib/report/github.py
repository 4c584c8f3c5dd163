"""Tell GitHub Actions of a run: the job's summary, annotations and outputs, each within its limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from runbook_lib.report import markdown, text
from runbook_lib.report.record import RunRecord
from runbook_lib.verdict import CriterionResult, Outcome

MOST_SUMMARY_BYTES = 1024 * 1024
"""GitHub refuses a longer summary whole: docs.github.com, "Workflow commands", adding a job summary."""
MOST_ANNOTATIONS = 10
"""Of each level and step; more are not shown."""
_MOST_MESSAGE = 4000
_CUT = "\n\n*The rest did not fit into a job's summary: it is in the archived report.md.*\n"


def tell(record: RunRecord, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Append summary and outputs to the files that GitHub names, and return the annotations to print.

    Outside of GitHub Actions nothing is written and nothing returned.
    """
    if path := environment.get("GITHUB_STEP_SUMMARY"):
        _append(path, cut(markdown.render(record), MOST_SUMMARY_BYTES, _CUT))
    if path := environment.get("GITHUB_OUTPUT"):
        verdict = record.verdict
        _append(path, f"action={verdict.action if verdict else ''}\nrun_id={record.run_id}\n")
    return tuple(annotate(record)) if environment.get("GITHUB_ACTIONS") == "true" else ()


def annotate(record: RunRecord) -> Iterator[str]:
    """Yield workflow commands: the verdict, then failed criteria as errors, doubtful ones as warnings."""
    verdict = record.verdict
    if verdict is None:
        yield _command("error", "no verdict", "; ".join(record.not_seen()))
        return
    level = "notice" if verdict.action == "PROCEED_TO_PRODUCTION" else "error"
    yield _command(level, verdict.action, verdict.summary)
    failed = [c for c in record.criteria() if c.outcome is Outcome.FAIL]
    doubtful = [c for c in record.criteria() if c.outcome in (Outcome.ERROR, Outcome.INCONCLUSIVE)]
    yield from _each("error", failed, MOST_ANNOTATIONS - (level == "error"))
    yield from _each("warning", doubtful, MOST_ANNOTATIONS)


def cut(words: str, most_bytes: int, ending: str) -> str:
    """Return `words`, cut at a line's end so that it has at most so many bytes with `ending` behind it."""
    raw = words.encode()
    if len(raw) <= most_bytes:
        return words
    kept = raw[: most_bytes - len(ending.encode())].decode(errors="ignore")
    return kept[: kept.rfind("\n") + 1 or len(kept)] + ending


def _each(level: str, criteria: list[CriterionResult], most: int) -> Iterator[str]:
    for criterion in criteria[:most]:
        yield _command(level, criterion.title, f"{criterion.outcome.name}: {criterion.reason}")


def _command(level: str, title: str, message: str) -> str:
    said = text.shortened(text.clean(message), _MOST_MESSAGE)
    return f"::{level} title={_property(text.clean(title))}::{_data(said)}"


def _data(words: str) -> str:
    """Return text that cannot end its line or begin another command."""
    return words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(words: str) -> str:
    return _data(words).replace(":", "%3A").replace(",", "%2C")


def _append(path: str, words: str) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(words)
