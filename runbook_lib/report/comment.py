"""Render a run as a comment for its issue on GitHub: the verdict first, the report folded below it."""

from __future__ import annotations

import re

from runbook_lib.report import markdown, text
from runbook_lib.report.github import cut
from runbook_lib.report.record import RunRecord
from runbook_lib.verdict import Outcome

MOST_BYTES = 65_536
"""GitHub takes so many characters, and a text never has fewer bytes than those."""
_CUT = "\n\n*The rest did not fit into a comment: it is in the archived report.md.*\n\n</details>\n"
_MOST_CRITERIA = 20
_CODE = re.compile(r"(`[^`\n]*`)")
_CALLS = re.compile(r"(?<![\w`])@(?=\w)|#(?=\d)|(?<=\bGH)-(?=\d)", re.IGNORECASE)


def marker(run_id: str) -> str:
    """Return the line, unseen on GitHub, by which an earlier comment on the same run is known again."""
    return f"<!-- staging validation {re.sub(r'[^A-Za-z0-9._-]', '_', run_id)} -->"


def render(record: RunRecord) -> str:
    """Return the comment's Markdown, at most 65,536 bytes; nobody is called and nothing linked by it."""
    head = "\n".join((marker(record.run_id), *_head(record)))
    folded = "\n\n<details><summary>The whole report</summary>\n\n"
    body = f"{head}{folded}{markdown.render(record)}\n</details>\n"
    return cut(_calling_nobody(body), MOST_BYTES, _CUT)


def _head(record: RunRecord) -> list[str]:
    verdict = record.verdict
    if verdict is None:
        unseen = (f"- {markdown.escape(why)}" for why in record.not_seen())
        return [
            "## No verdict",
            "",
            "The run ended before the judge: nothing here allows a promotion.",
            "",
            *unseen,
        ]
    passed = sum(result.outcome is Outcome.PASS for result in verdict.criteria)
    state = record.deploy.candidate if record.deploy else None
    return [
        f"## {verdict.action} (confidence {verdict.confidence})",
        "",
        markdown.escape(verdict.summary),
        "",
        f"{passed} of {len(verdict.criteria)} criteria pass. Candidate {markdown.code(record.candidate())} "
        f"({markdown.code(state.image if state else '')}) against {markdown.code(record.baseline())}, "
        f"service {markdown.code(verdict.service)}, run {markdown.code(record.run_id)}, "
        f"{text.moment(verdict.started)}.",
        "",
        *_not_passed(record),
        f"Next: {markdown.code(verdict.next_command)}",
    ]


def _not_passed(record: RunRecord) -> list[str]:
    bad = [result for result in record.criteria() if result.outcome is not Outcome.PASS]
    bad.sort(key=lambda result: -result.outcome)
    lines = [
        f"- **{result.outcome.name}** {markdown.escape(text.shortened(result.title, 200))}: "
        f"{markdown.escape(text.shortened(result.reason, 600))}"
        for result in bad[:_MOST_CRITERIA]
    ]
    more = [f"- and {len(bad) - _MOST_CRITERIA} more"] if len(bad) > _MOST_CRITERIA else []
    return [*lines, *more, ""] if lines else []


def _calling_nobody(body: str) -> str:
    """Return Markdown in which `@name` notifies nobody and `#1` refers to nothing; code never does."""
    parts = _CODE.split(body)
    parts[::2] = [_CALLS.sub(lambda found: f"{found[0]}<!-- -->", part) for part in parts[::2]]
    return "".join(parts)
