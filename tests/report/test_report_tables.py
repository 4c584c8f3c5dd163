"""Tables put records into words; a missing value is never empty and never zero."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest
import report_records as records
from hostile import HOSTILE

from runbook_lib.catalogue import METRICS, SUITE
from runbook_lib.evidence import EventSeen
from runbook_lib.report import tables, text


def test_criteria_are_words_with_units() -> None:
    table = tables.criteria(records.failing().criteria())
    columns = ["Observed", "Bound", "Baseline", "Samples", "Interval", "Reason"]
    assert list(table.columns)[2:] == columns
    row = table[table["Criterion"].str.startswith("User Isolation")].iloc[0]
    assert list(row)[:1] + list(row)[2:6] == ["✗ FAIL", "2 sessions", "≤ 0 sessions", "3 sessions", "24"]


@pytest.mark.parametrize(
    ("detectable", "effect_unit", "words"),
    [
        (None, "", ""),
        (0.95, "", "too few to show what is rare"),
        (0.4507, "", "1 in 2 would have shown"),
        (0.000998, "", "1 in 1,002 would have shown"),
        (0.05, "s", "0.05 s shows half the time"),
    ],
)
def test_what_could_have_been_overlooked_is_said(
    detectable: float | None, effect_unit: str, words: str
) -> None:
    result = records.failing().criteria()[0]
    found = result.model_copy(update={"detectable": detectable, "effect_unit": effect_unit})
    assert text.sensitivity(found) == words


def test_suites_of_the_plan_are_listed_even_if_they_did_not_run() -> None:
    table = tables.suites(records.empty())
    assert list(table["Suite"]) == ["Golden Path Test", "Agent Registry Test"]
    assert list(table["Outcome"]) == ["? INCONCLUSIVE", "? INCONCLUSIVE"]
    assert set(table["Duration"]) == {"not observed"}


def test_a_suite_ended_at_its_limit_says_so_and_does_not_pass() -> None:
    record = records.empty()
    late = records.suite("golden-path", exit_code=None, timed_out=True, requests=None)
    suites = records.SuitesEvidence(window=records.window(), suites=(late,))
    table = tables.suites(records.replace(record, suites=suites))
    assert list(table.iloc[0])[1:] == [
        "? INCONCLUSIVE", "12.4 s", "1 passed", "not observed", "ended at its time limit", "exit code",
    ]  # fmt: skip


def test_sessions_with_problems_say_all_that_was_wrong() -> None:
    record = records.failing()
    assert record.probes is not None
    row = tables.sessions(record.probes.bad_sessions).iloc[0]
    assert row["Problem"] == (
        "closed by the service; sequence 3 after 1; saw the mark mark-candidate-5 of another user"
    )


def test_sessions_of_two_users_with_one_session_id_say_so() -> None:
    pair = (records.session(1, session_id="s-7"), records.session(2, session_id="s-7"))
    same_user = records.session(3, session_id="s-7", user="probe-1@example.test")
    assert tables.problem(pair[0], (*pair, same_user)) == (
        "shares the session id s-7 with probe-2@example.test"
    )
    alone = "none of its own"
    assert tables.problem(pair[0], (pair[0], same_user)) == alone
    other_role = records.session(2, "baseline", session_id="s-7")
    assert tables.problem(pair[0], (other_role,)) == alone


def test_sessions_can_be_those_of_one_role() -> None:
    both = (records.session(1), records.session(2, "baseline"))
    assert list(tables.sessions(both, "baseline")["Session"]) == ["2"]
    assert len(tables.sessions(both)) == 2


def test_events_that_never_came_have_a_row() -> None:
    cut = records.session(events=(EventSeen(type="agent_started", at_s=0.04, sequence=1),))
    table = tables.events(cut, ("agent_started", "agent_completed"))
    assert table.values.tolist() == [
        ["agent_started", "40 ms", "1"],
        ["agent_completed", "did not come", "not observed"],
    ]


def test_latencies_count_the_sessions_without_a_value() -> None:
    table = tables.latencies(records.load_table(lost=9), "connect_s")
    assert table[["Role", "Sessions", "Without a value"]].values.tolist() == [
        ["candidate", "60", "9"], ["baseline", "60", "0"],
    ]  # fmt: skip


def test_traffic_names_the_roles() -> None:
    record = records.good()
    table = tables.traffic(record.traffic(), record)
    assert table.values.tolist() == [
        [records.BASELINE, "baseline", "100 %", "baseline"],
        [records.CANDIDATE, "candidate", "0 %", "candidate"],
    ]


def test_measurements_without_data_read_not_observed() -> None:
    record = records.good()
    assert record.metrics is not None
    empty = records.measurement("memory.growth_mib", "candidate", None, 0, missing=3, note="no point")
    row = tables.measurements(record.metrics.model_copy(update={"measurements": (empty,)})).iloc[0]
    assert list(row) == ["memory.growth_mib", "candidate", "not observed", "0", "0", "3", "no point"]


def test_severities_are_in_order_of_gravity() -> None:
    record = records.good()
    assert tables.severities(record.logs).values.tolist() == [
        ["INFO", "112", "104"], ["NOTICE", "6", "0"], ["WARNING", "0", "3"], ["ERROR", "0", "2"],
    ]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_table_as_html_is_escaped_and_styled_inline(hostile: str) -> None:
    shown = tables.to_html(pd.DataFrame({hostile: [hostile]}))
    assert shown.count("<") == len(["table", "thead", "tr", "th", "tbody", "tr", "td"]) * 2
    assert "class=" not in shown
    assert shown.count('style="') == 3


def test_empty_evidence_makes_empty_tables_with_columns() -> None:
    made = (
        tables.revisions(None),
        tables.severities(None),
        tables.latencies(None, "connect_s"),
        tables.series(None, "memory"),
        tables.measurements(None),
        tables.events(None, ("x",)),
    )
    for table in made:
        assert table.empty
        assert len(table.columns)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "s", "not observed"),
        (float("nan"), "s", "not observed"),
        (0.0, "entries", "0 entries"),
        (1.0, "entries", "1 entry"),
        (0.08123, "s", "0.0812 s"),
        (12_345.6, "MiB", "12,346 MiB"),
        (0.0125, "ratio", "0.0125 (1.25 %)"),
        (1.0, "ready", "ready"),
        (0.0, "ready", "not ready"),
    ],
)
def test_a_quantity_has_its_unit(value: float | None, unit: str, words: str) -> None:
    assert text.quantity(value, unit) == words


@pytest.mark.parametrize("unit", sorted({metric.unit for metric in (*METRICS.values(), SUITE)}))
def test_one_of_what_is_counted_is_no_plural(unit: str) -> None:
    assert text.quantity(1, unit).endswith("s") == (unit == "s")


def test_lengths_of_time_read_as_a_person_says_them() -> None:
    assert [text.span(s) for s in (2.41, 252, 7300)] == ["2.4 s", "4 min 12 s", "2 h 1 min"]
    assert text.span(None) == "not observed"
    assert [text.milliseconds(s) for s in (None, 0.0403, 31.74)] == ["not observed", "40 ms", "31.7 s"]
    assert text.moment(datetime(2025, 9, 16, 14, 2, 11, 999, tzinfo=UTC)) == "2025-09-16 14:02:11 UTC"


def test_a_suite_that_need_not_reach_the_candidate_says_so() -> None:
    free = records.suite("golden-path", must_reach_candidate=False, requests=0)
    suites = records.SuitesEvidence(window=records.window(), suites=(free,))
    table = tables.suites(records.replace(records.empty(), suites=suites))
    assert table.iloc[0]["Requests that reached the candidate"] == "0 (the plan asks for none)"
