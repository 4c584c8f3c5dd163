"""TAP of every version is read as its specification means it; real producers are run where they are here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from runbook_lib.evidence.suites import TestResult
from runbook_lib.steps.suites.tap import TapReader


def read(text: str) -> tuple[TestResult, ...] | None:
    reader = TapReader()
    for line in text.splitlines():
        reader.feed(line)
    return reader.tests()


def statuses(text: str) -> dict[str, str]:
    tests = read(text)
    assert tests is not None
    return {test.name: test.status for test in tests}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TAP version 13\n1..2\nok 1 - a\nnot ok 2 - b", {"a": "passed", "b": "failed"}),
        ("TAP version 14\nok 1 - a\n1..1", {"a": "passed"}),
        ("1..2\nok\nnot ok", {"test 1": "passed", "test 2": "failed"}),
        ("1..1\nok 1 a \\# b", {"a # b": "passed"}),
        ("1..3\nok 1 - a # SKIP no key\nnot ok 2 - b # TODO later\nok 3 - c # todo",
         {"a": "skipped", "b": "xfailed", "c": "xpassed"}),
        ("1..1\nok 1 - issue #891 is gone", {"issue #891 is gone": "passed"}),
        ("1..0 # SKIP no staging", {"the whole suite": "skipped"}),
        ("1..0", {}),
        ("1..3\nok 1 - a", {"a": "passed", "plan": "error"}),
        ("1..1\nok 1 - a\nok 2 - b", {"a": "passed", "b": "passed", "plan": "error"}),
        ("TAP version 13\nok 1 - a", {"a": "passed", "plan": "error"}),
        ("ok 1 - a\nok 2 - b", {"a": "passed", "b": "passed", "plan": "error"}),
        ("1..2\nok 1 - a\nBail out! no database", {"a": "passed", "bail out": "error"}),
        ("TAP version 14\n1..1\n# Subtest: p\n    1..2\n    ok 1 - a\n    not ok 2 - b\nnot ok 1 - p",
         {"p > a": "passed", "p > b": "failed"}),
        ("1..1\n    ok 1 - a\n    1..1\nnot ok 1 - p", {"p > a": "passed", "p": "failed"}),
        ("1..1\n        ok 1 - x\n    ok 1 - m\nok 1 - p", {"p > m > x": "passed"}),
        ("1..2\nnot ok 1 - a\n  ---\n  got: ok 9\n  ...\nok 2 - b", {"a": "failed", "b": "passed"}),
        ("1..2\nnot ok 1 - a\n  ---\n  got:\n\n  ok 2 - x\n  ...\nok 2 - b", {"a": "failed", "b": "passed"}),
        ("1..2\nnot ok 1 - a\n  ---\n  never: closed\nnot ok 2 - b", {"a": "failed", "b": "failed"}),
    ],
)  # fmt: skip
def test_points_plans_directives_and_subtests_are_read(text: str, expected: dict[str, str]) -> None:
    assert statuses(text) == expected


@pytest.mark.parametrize("text", ["", "ok", "ok 12 records written", "all is ok\nnot ok at all", "1..x"])
def test_what_only_looks_like_tap_is_none(text: str) -> None:
    assert read(text) is None


def test_a_failure_is_told_by_its_diagnostics_and_its_time_by_the_yaml_block() -> None:
    tests = read("1..1\nnot ok 1 - a\n  ---\n  duration_ms: 250.5\n  at: x.js:3\n  ...\n#   Failed test 'a'")
    assert tests is not None
    assert (tests[0].detail, tests[0].duration_s) == ("at: x.js:3\nFailed test 'a'", 0.2505)


@pytest.mark.parametrize("line", ["duration_ms: 1.2.3", "duration_ms: .", "duration_ms: 1e999", "]: {{"])
def test_a_block_of_nonsense_is_only_text(line: str) -> None:
    tests = read(f"1..1\nnot ok 1 - a\n  ---\n  {line}\n  ...")
    assert tests is not None
    assert (tests[0].detail, tests[0].duration_s) == (line, None)


def test_a_secret_in_names_and_diagnostics_is_masked() -> None:
    reader = TapReader()
    for line in ("1..1", "not ok 1 - with swordfish", "# got swordfish"):
        reader.feed(line)
    assert "swordfish" not in repr(reader.tests(("swordfish",)))


NODE = """
const test = require("node:test"), assert = require("node:assert");
test("good", () => {});
test("parent", async (t) => { await t.test("bad", () => assert.equal(1, 2)); });
test("later", { skip: "no key" }, () => {});
"""


@pytest.mark.skipif(not shutil.which("node"), reason="no node on this machine")
def test_nodes_own_runner_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.test.js").write_text(NODE, encoding="utf-8")
    command = ["node", "--test", "--test-reporter=tap", "a.test.js"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    tests = read(done.stdout)
    assert tests is not None, done.stdout
    found = {test.name.rpartition("a.test.js > ")[2]: test for test in tests}
    assert {name: test.status for name, test in found.items()} == {
        "good": "passed", "parent > bad": "failed", "later": "skipped",
    }, done.stdout  # fmt: skip
    assert (found["good"].duration_s or 0) > 0
    assert "ERR_ASSERTION" in found["parent > bad"].detail


@pytest.mark.skipif(not shutil.which("perl"), reason="no perl on this machine")
def test_perls_test_more_is_read() -> None:
    subtest = "subtest 'p' => sub { plan tests => 1; is(1, 2, 'bad') };"
    program = f"use Test::More tests => 2; ok(1, 'good'); {subtest}"
    command = ["perl", "-e", program]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert statuses(done.stdout) == {"good": "passed", "p > bad": "failed"}
