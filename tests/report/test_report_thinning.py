"""Of a line with too many points those are drawn that a screen can show, the extremes among them."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import report_records as records

from runbook_lib.report import charts, figures, markdown, tables, thinning
from runbook_lib.report.figures import chart_of
from runbook_lib.verdict import LookSeen


@pytest.mark.parametrize("count", [1, 2, 7, 1500, 1501, 100_000])
def test_few_points_are_all_drawn_and_of_many_both_ends_and_the_extremes(count: int) -> None:
    values = [random.Random(number).random() for number in range(count)]  # noqa: S311 - not a secret
    other = values[::-1]
    places = thinning.extremes(values, other)
    assert len(places) == min(count, len(places)) <= thinning.MOST_POINTS
    assert (places[0], places[-1]) == (0, count - 1)
    assert {int(np.argmin(values)), int(np.argmax(values)), int(np.argmax(other))} <= set(places.tolist())
    if count <= thinning.MOST_POINTS:
        assert places.tolist() == list(range(count))


def test_a_peak_of_one_point_in_a_month_is_drawn_and_the_reader_told_what_is_not() -> None:
    table = records.series_table()
    month = table.loc[np.resize(table.index.to_numpy(), 80_000)].reset_index(drop=True)
    month["time"] = table["time"].min() + pd.to_timedelta(np.arange(80_000), unit="min")
    month.loc[54_321, "value"] = 999.0
    chart = chart_of(replace(records.good(), series=month), "memory")
    assert chart.figure is not None
    drawn = [value for line in chart.figure.data for value in line.y]
    assert len(drawn) <= 2 * thinning.MOST_POINTS
    assert max(drawn) == 999.0
    told = "of 39,996 points of a line, both ends and the extremes among them."
    assert chart.caption.startswith("A candidate that keeps climbing")
    assert chart.caption.endswith(told)
    assert charts.drawn_points(chart_of(records.good(), "memory").figure) == ""


def test_a_distribution_of_a_million_sessions_keeps_its_fastest_and_its_slowest() -> None:
    few = records.load_table()
    many = few.loc[np.resize(few.index.to_numpy(), 1_000_000)].reset_index(drop=True)
    many.loc[4711, "connect_s"] = 0.000123
    chart = chart_of(replace(records.good(), load=many), "connect")
    assert chart.figure is not None
    (first,) = [line for line in chart.figure.data if line.name == many.loc[4711, "role"]]
    assert len(first.x) == thinning.MOST_POINTS
    assert (min(first.x), max(first.y)) == (0.000123, 1.0)
    assert "Drawn from 1,500 of 499,980 sessions of a line, evenly by rank" in chart.caption


def test_a_trail_of_a_thousand_looks_is_a_line_and_a_short_table_that_says_where_all_are() -> None:
    looks = tuple(LookSeen(pairs=60 * n, against=-n / 100, favour=n / 50) for n in range(1, 2001))
    first = records.verdict().criteria[9].model_copy(update={"trail": looks})
    judged = records.verdict().model_copy(update={"criteria": (first,)})
    record = replace(records.good(), verdict=judged)
    (name,) = figures.trail_names(record)
    chart = chart_of(record, name)
    assert chart.figure is not None
    assert len(chart.figure.data[0].x) <= thinning.MOST_POINTS + 1  # and where it begins
    assert chart.numbers["Pairs"].tolist()[-1] == "120000"
    assert chart.left_out == f"{len(chart.numbers)} of 2,000 looks; all are in verdict.json."
    assert len(chart.numbers) <= 40


def test_a_long_table_shows_its_first_rows_and_says_so_also_in_a_notebook() -> None:
    long = tables.table_of(("Number",), ((number,) for number in range(1234)))
    shown = tables.to_html(long)
    assert shown.count("<tr>") == 201
    assert shown.endswith("<p>The first 200 of 1,234.</p>")


def test_many_failed_tests_fill_no_ticket() -> None:
    record = records.failing()
    suite = records.suite("golden-path", ("failed",) * 3000)
    tests = tuple(test.model_copy(update={"finding": "new failure"}) for test in suite.tests)
    suite = suite.model_copy(update={"tests": tests})
    failed = replace(record, suites=records.SuitesEvidence(window=records.window(), suites=(suite,)))
    report = markdown.render(failed)
    assert "\nThe first 50 of 3000; all are in evidence/suites.json.\n" in report
    assert len(report) < 65_536  # what GitHub takes as a comment
