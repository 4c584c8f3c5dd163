"""The events of `go test -json` are read as test2json documents them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from runbook_lib.steps.suites.go_test import GoTestReader

NOW = "2026-11-23T17:00:00.123456789Z"


def event(action: str, test: str = "", **more: object) -> str:
    return json.dumps(
        {"Time": NOW, "Action": action, "Package": "x/chat", **({"Test": test} if test else {}), **more}
    )


def read(*lines: str) -> GoTestReader:
    reader = GoTestReader()
    for line in lines:
        reader.feed(line)
    return reader


def statuses(*lines: str) -> dict[str, str]:
    return {test.name: test.status for test in read(*lines).tests() or ()}


def test_tests_have_their_status_time_and_output() -> None:
    tests = read(
        "go: downloading example.test/mod v1.0.0",
        event("start"),
        event("run", "TestA"), event("output", "TestA", Output="=== RUN   TestA\n"),
        event("output", "TestA", Output="    a_test.go:9: want 5 events, got 4\n"),
        event("fail", "TestA", Elapsed=1.25),
        event("run", "TestB"), event("skip", "TestB", Elapsed=0),
        event("fail", Elapsed=1.3),
    ).tests()  # fmt: skip
    assert tests is not None
    assert [(test.name, test.status, test.duration_s) for test in tests] == [
        ("x/chat TestA", "failed", 1.25), ("x/chat TestB", "skipped", 0),
    ]  # fmt: skip
    assert "want 5 events, got 4" in tests[0].detail
    assert tests[0].start == datetime(2026, 11, 23, 17, 0, 0, 123456, UTC)


def test_a_parent_is_told_by_its_subtests_unless_it_failed_itself() -> None:
    assert statuses(
        event("run", "TestA"), event("run", "TestA/x"), event("pass", "TestA/x"), event("pass", "TestA"),
        event("run", "TestB"), event("run", "TestB/y"), event("pass", "TestB/y"), event("fail", "TestB"),
        event("run", "TestBC"), event("pass", "TestBC"),
        event("fail"),
    ) == {
        "x/chat TestA/x": "passed", "x/chat TestB": "failed", "x/chat TestB/y": "passed",
        "x/chat TestBC": "passed",
    }  # fmt: skip


def test_a_package_that_fails_without_a_failed_test_is_a_failure() -> None:
    build = event("output", Output="./a.go:3: undefined: x\n")
    tests = read(build, event("fail", Elapsed=0)).tests()
    assert tests is not None
    assert [(test.name, test.status) for test in tests] == [("x/chat", "failed")]
    assert "undefined: x" in tests[0].detail


def test_a_test_that_never_ended_is_an_error() -> None:
    assert statuses(event("run", "TestA"), event("pass", "TestA"), event("run", "TestB")) == {
        "x/chat TestA": "passed", "x/chat TestB": "error",
    }  # fmt: skip


def test_a_result_from_the_cache_proves_nothing() -> None:
    tests = read(
        event("run", "TestA"), event("pass", "TestA", Elapsed=2),
        event("output", Output="ok  \tx/chat\t(cached)\n"), event("pass"),
    ).tests()  # fmt: skip
    assert tests is not None
    assert [(test.status, test.detail) for test in tests] == [
        ("skipped", "a result from go's cache, the test was not run now: add -count=1 to the command")
    ]


def test_packages_without_tests_are_no_tests_and_other_json_is_none() -> None:
    assert statuses(event("output", Output="?   \tx/chat\t[no test files]\n"), event("skip")) == {}
    assert read('{"Action": "pass"}', '{"level": "info"}', "{", '{"a":' * 5000, "[]").tests() is None


def test_a_test_that_go_rounds_to_nothing_has_its_length_by_its_events() -> None:
    end = event("pass", "TestA", Elapsed=0, Time="2026-11-23T17:00:00.127456789Z")
    tests = read(event("run", "TestA"), end).tests()
    assert tests is not None
    assert tests[0].duration_s == pytest.approx(0.004)


def test_a_time_that_cannot_be_is_unknown() -> None:
    end = json.dumps({"Action": "pass", "Package": "x", "Test": "TestA", "Elapsed": 1e300})
    for time in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "soon", 7, "2026-11-23T17:00:00"):
        run = json.dumps({"Action": "run", "Package": "x", "Test": "TestA", "Time": time})
        tests = read(run, end).tests()
        assert tests is not None
        assert (tests[0].start, tests[0].duration_s) == (None, None)


def test_the_tally_counts_what_ended_and_names_what_runs() -> None:
    tally = read(event("run", "TestA"), event("fail", "TestA"), event("run", "TestB")).tally()
    assert (tally.done, tally.failed, tally.running) == (1, 1, "TestB")
