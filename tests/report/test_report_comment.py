"""The comment for the issue says the verdict first, fits, and calls nobody."""

from __future__ import annotations

from dataclasses import replace

import report_records as records
from markdown_it import MarkdownIt

from runbook_lib.report import comment, markdown


def test_the_verdict_comes_first_and_the_whole_report_is_folded_below() -> None:
    lines = comment.render(records.failing()).splitlines()
    assert lines[:2] == [f"<!-- staging validation {records.RUN_ID} -->", "## ROLLBACK (confidence MEDIUM)"]
    first = next(line for line in lines if line.startswith("- **"))
    assert first.startswith(
        "- **FAIL** User Isolation: concurrent users properly separated: 2 of 24 sessions"
    )
    fold = lines.index("<details><summary>The whole report</summary>")
    assert "Next: `runbook status outputs/issue-891-20250916-140211`" in lines[:fold]
    assert lines[-1] == "</details>"
    assert len(lines) > fold + markdown.render(records.failing()).count("\n")


def test_a_run_without_a_verdict_allows_nothing_and_says_what_was_not_seen() -> None:
    lines = comment.render(records.empty()).splitlines()
    assert lines[1] == "## No verdict"
    assert any(line.startswith("- deploy: services.get on backend-service answered") for line in lines)


def test_it_fits_however_much_there_is_to_say_and_ends_as_it_should() -> None:
    bad = (
        tuple(
            each.model_copy(update={"title": "x" * 900, "reason": "ü" * 2500})
            for each in records.failing().criteria()
        )
        * 3
    )
    verdict = records.verdict()
    record = replace(records.failing(), verdict=verdict.model_copy(update={"criteria": bad}))
    body = comment.render(record)
    assert len(body) <= len(body.encode()) <= 65_536
    assert body.endswith("it is in the archived report.md.*\n\n</details>\n")


def test_nobody_is_called_nothing_is_linked_and_no_tag_survives() -> None:
    called = "@all cc @acme/team, see #12, acme/chat#13 and GH-14; `@code` mail a@b.test"
    verdict = records.verdict(summary=called)
    body = comment.render(replace(records.good(), verdict=verdict))
    said = body.splitlines()[3]
    assert said == (
        "@<!-- -->all cc @<!-- -->acme/team, see \\#<!-- -->12, acme/chat#<!-- -->13 and GH-<!-- -->14; "
        "\\`@code\\` mail a@b.test"
    )
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(comment.render(records.hostile()))
    for forbidden in ("<script", "<img", "<svg", "<style", "<meta", "<base", 'javascript:window.pwned=4"'):
        assert forbidden not in shown.lower()
    assert comment.marker("a --> <b> \u202e") == "<!-- staging validation a_--___b___ -->"
