"""The Markdown report fills every field of the seed's template, and shows foreign text as it is."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import report_records as records
from markdown_it import MarkdownIt

from runbook_lib.report import markdown
from runbook_lib.verdict import Outcome

FIELDS = (
    "**Revision ID**", "**Deployment Time**", "**Status**", "**Error Count**", "**Golden Path Test**",
    "**Agent Registry Test**", "**WebSocket Connection Time**", "**Agent Response Time**", "**Memory Usage**",
    "**Error Rate Change**", "**Action**", "**Confidence**",
)  # fmt: skip


def _field(report: str, name: str) -> str:
    match = re.search(rf"^- {re.escape(name)}: (.+)$", report, re.MULTILINE)
    assert match is not None, f"no field {name}"
    return match[1]


def test_every_field_of_the_template_is_filled_from_the_record() -> None:
    report = markdown.render(records.good())
    assert report.startswith("# Issue #891 Staging Validation Results\n")
    assert [_field(report, name) for name in FIELDS] == [
        f"`{records.CANDIDATE}`",
        "2025-09-16 14:02:11 UTC (ready after 2.41 s)",
        "SUCCESS",
        "0 entries",
        "PASS - 12.4 s (1 passed)",
        "PASS - 12.4 s (1 passed)",
        "0.0812 s (slowest under load; baseline 31.7 s)",
        "0.741 s (slowest under load; baseline 0.802 s)",
        "1.5 MiB (growth under load; baseline 2.25 MiB, difference -0.75 MiB)",
        "-0.85 pp (candidate 0.004 (0.4 %), baseline 0.0125 (1.25 %))",
        "PROCEED_TO_PRODUCTION",
        "HIGH",
    ]
    assert "- **Next Steps**:\n  - Plan the production deployment\n" in report
    assert "- none: every criterion passed\n" in report


def test_a_field_that_nobody_saw_reads_not_observed() -> None:
    report = markdown.render(records.empty())
    for name in FIELDS:
        assert "not observed" in _field(report, name), name
    assert not re.search(r":[ ]*$(?!\n+  - )", report, re.MULTILINE)
    assert not re.search(r": 0\b", report)


def test_the_criteria_are_a_check_list_in_their_groups() -> None:
    report = markdown.render(records.failing())
    assert "\n### Functionality\n- [x] Golden Path: user login → WebSocket" in report
    assert (
        "- [ ] User Isolation: concurrent users properly separated: FAIL, observed 2 sessions, "
        "bound ≤ 0 sessions, baseline 3 sessions, samples 24, shown by `03_tests#run-probe`\n"
    ) in report
    assert report.count("- [x] ") == 12
    assert report.count("- [ ] ") == 4


def test_without_a_verdict_no_box_is_checked() -> None:
    report = markdown.render(records.empty())
    assert "- [x]" not in report
    assert report.count("- [ ] ") == len(records.CRITERIA)


def test_issues_and_the_hints_at_their_cause_are_listed() -> None:
    report = markdown.render(records.failing())
    assert "- **FAIL** User Isolation: concurrent users properly separated: 2 of 24 sessions" in report
    assert "see evidence/probes_sessions.parquet, 03_tests#run-probe\n" in report
    assert "session 3 of isolation (probe-3@example.test): closed by the service; sequence 3" in report
    assert "- Not seen: memory of the candidate: timeSeries.list answered 503\n" in report


def test_before_and_after_is_a_table() -> None:
    report = markdown.render(records.good())
    assert "| User isolation violations | ✗ FAIL | ✓ PASS | failed before, passes now: fixed |" in report


def test_a_hollow_suite_that_no_criterion_names_does_not_pass() -> None:
    record = records.failing()
    assert record.verdict is not None
    rest = tuple(c for c in record.criteria() if c.group != "tests")
    hollow = records.suite("golden-path", ("passed", "hollow"))
    suites = records.SuitesEvidence(window=records.window(), suites=(hollow,))
    unnamed = replace(record, suites=suites, verdict=record.verdict.model_copy(update={"criteria": rest}))
    report = markdown.render(unnamed)
    assert _field(report, "**Golden Path Test**") == "INCONCLUSIVE - 12.4 s (1 passed, 1 hollow)"


def test_a_revision_that_never_became_ready_reads_failed() -> None:
    record = records.good()
    assert record.deploy is not None
    not_ready = records.measurement("deploy.ready", "candidate", 0, 1)
    never = record.deploy.model_copy(update={"measurements": (not_ready,)})
    assert _field(markdown.render(replace(record, deploy=never)), "**Status**") == "FAILED"


def test_foreign_text_becomes_no_tag_link_image_heading_or_table() -> None:
    report = markdown.render(records.hostile())
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = [inner for token in parser.parse(report) for inner in (token, *(token.children or ()))]
    active = {"html_block", "html_inline", "link_open", "image", "fence", "hr", "em_open"}
    assert active & {token.type for token in tokens} == set()
    headings = [token for token in tokens if token.type == "heading_open"]
    assert len(headings) == 1 + 9 + 1  # the title, the sections, the one hostile group
    assert "\x1b" not in report
    assert "49" not in report.replace("0049", "")  # {{ 7*7 }} was not rendered


@pytest.mark.parametrize(
    ("words", "escaped"),
    [
        ("load.connect_max_s < 30 & 2 > 1", "load.connect_max_s < 30 & 2 > 1"),
        ("_em_ and __init__", r"\_em\_ and \_\_init\_\_"),
        ("<b>x</b> &lt; > y", "&lt;b>x&lt;/b> &amp;lt; > y"),
        ("> quote", "&gt; quote"),
        ("# heading\nof #5", r"\# heading of \#5"),
        ("- item", r"\- item"),
        ("-0.75 MiB", "-0.75 MiB"),
        ("---", r"\---"),
        ("1. item", r"1\. item"),
        ("1.5 MiB", "1.5 MiB"),
        ("a|b `c` [d](e)", r"a\|b \`c\` \[d\](e)"),
        ("http://evil.test www.evil.test", r"http:\//evil.test www\.evil.test"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("$500K+ ARR", "$500K+ ARR"),
        ("$$x$$ and $y$", r"\$\$x\$\$ and \$y\$"),
    ],
)
def test_escape_touches_only_what_markdown_acts_on(words: str, escaped: str) -> None:
    assert markdown.escape(words) == escaped


def test_an_error_is_an_issue_even_where_it_is_not_critical() -> None:
    outcomes = {"startup-time": (Outcome.ERROR, None, "the step metrics left no evidence")}
    report = markdown.render(replace(records.good(), verdict=records.verdict(outcomes)))
    assert "- **ERROR** Startup time within normal parameters: the step metrics left no evidence\n" in report


def test_what_failed_on_which_revision_is_a_table_and_the_way_to_its_bundle_a_hint() -> None:
    report = markdown.render(records.failing())
    row = "| Agent Registry Test | test_agent-registry_2 | passed | failed | new failure |"
    assert row in report.splitlines()
    bundle = "evidence/failures/agent-registry-test_c-3"
    assert f"- test_agent-registry_2 new failure (2 runs, baseline passed): see {bundle}" in report
    assert "| Suite |" not in markdown.render(records.good())
