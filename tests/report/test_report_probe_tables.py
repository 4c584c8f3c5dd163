"""What the probes saw in words: promises, leaks, the pace of events."""

from __future__ import annotations

import report_records as records

from runbook_lib.evidence import ClauseSeen, EventLatency, Leak, ProbesEvidence
from runbook_lib.report import probe_tables

LEAK = Leak(role="candidate", probe="load", session=812, receiver="b", sender="", what="candidate-load-u1t1")
PROBES = ProbesEvidence(
    window=records.window(),
    clauses=(
        ClauseSeen(role="candidate", clause="reconnect", outcome="kept"),
        ClauseSeen(role="candidate", clause="resume", outcome="broken", detail="asked for s-1 and got s-2"),
        ClauseSeen(role="candidate", clause="unsigned-token", outcome="does not apply", detail="no JWT"),
        ClauseSeen(role="candidate", clause="expired-token", outcome="not tried", detail="login failed"),
        ClauseSeen(role="baseline", clause="resume", outcome="broken", detail="refused"),
    ),
    leaks=(LEAK.model_copy(update={"probe": "isolation", "sender": "a"}),),
    event_latencies=(
        EventLatency(
            role="candidate", event="agent_started", samples=3, median_s=0.01, p95_s=0.02, max_s=0.03
        ),
    ),
)  # fmt: skip


def test_each_promise_has_a_row_with_both_revisions_and_what_happened() -> None:
    table = probe_tables.clauses(PROBES)
    assert [list(row) for row in table.itertuples(index=False)] == [
        ["A user who left can come back at once", "✓ kept", "not observed", ""],
        ["A user's own session can be resumed", "✗ BROKEN", "✗ BROKEN",
         "candidate: asked for s-1 and got s-2; baseline: refused"],
        ["A token without a signature is refused", "does not apply", "not observed", "candidate: no JWT"],
        ["A token that has expired is refused", "! not tried", "not observed", "candidate: login failed"],
    ]  # fmt: skip
    assert probe_tables.kept(PROBES) == (
        "The candidate kept 1 of 2 promises about sessions and tokens; 1 could not be tried"
    )
    assert len(probe_tables.clauses(None)) == 0


def test_leaks_of_probes_and_of_the_load_name_sender_and_receiver() -> None:
    metrics = records.MetricsEvidence(window=records.window(), leaks=(LEAK,))
    record = records.replace(records.empty(), probes=PROBES, metrics=metrics)
    assert [list(row) for row in probe_tables.leaks(record).itertuples(index=False)] == [
        ["candidate", "isolation", "812", "b", "a", "candidate-load-u1t1"],
        ["candidate", "load", "812", "b", "not known", "candidate-load-u1t1"],
    ]


def test_the_pace_of_events_says_what_was_not_observed() -> None:
    (row,) = probe_tables.event_latencies(PROBES).itertuples(index=False)
    assert list(row) == ["agent_started", "10 ms", "20 ms", "30 ms", *["not observed"] * 3]
