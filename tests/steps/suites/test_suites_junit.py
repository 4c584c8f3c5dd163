"""What test runners write is read as it is meant, and nothing in a hostile file does any harm."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runbook_lib.evidence.suites import TestResult
from runbook_lib.steps.suites.junit import read_junit

SUITE = """\
import pytest

def test_good(): pass
def test_bad(): assert 1 == 2, "one is not two"
@pytest.mark.skip(reason="no network")
def test_skipped(): pass
@pytest.fixture
def broken(): raise RuntimeError("no database")
def test_error(broken): pass
class TestGroup:
    @pytest.mark.parametrize("text", ["<b>&\\"", "é\\x1b[31m"])
    def test_names(self, text): pass
    @pytest.mark.xfail(reason="known")
    def test_known(self): assert False
"""


def read(tmp_path: Path, text: str | bytes) -> tuple[TestResult, ...] | None:
    file = tmp_path / "junit.xml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_junit(file)


def statuses(tests: tuple[TestResult, ...] | None) -> dict[str, str]:
    assert tests is not None
    return {test.name: test.status for test in tests}


def one(tmp_path: Path, text: str | bytes) -> TestResult:
    tests = read(tmp_path, text)
    assert tests is not None
    (test,) = tests
    return test


def test_pytests_own_file_is_read_test_by_test(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE, encoding="utf-8")
    file = tmp_path / "junit.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={file}", "."]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    tests = read_junit(file)
    assert tests is not None
    assert [(test.name, test.status) for test in tests] == [
        ("test_suite::test_good", "passed"),
        ("test_suite::test_bad", "failed"),
        ("test_suite::test_skipped", "skipped"),
        ("test_suite::test_error", "error"),
        ('test_suite.TestGroup::test_names[<b>&"]', "passed"),
        ("test_suite.TestGroup::test_names[\\xe9\\x1b[31m]", "passed"),
        ("test_suite.TestGroup::test_known", "xfailed"),
    ]
    assert all(test.duration_s is not None for test in tests)
    assert "one is not two" in tests[1].detail
    assert "no network" in tests[2].detail
    assert "no database" in tests[3].detail


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<testsuite><testcase name='a'/></testsuite>", {"a": "passed"}),
        ("<testsuites><testsuite><testcase classname='c' name='a'/></testsuite></testsuites>",
         {"c::a": "passed"}),
        ("<testsuites><testsuite><testsuite><testsuite><testcase name='a'><failure/></testcase></testsuite>"
         "</testsuite><testcase name='b'/></testsuite>"
         "<testsuite><testcase name='c'/></testsuite></testsuites>",
         {"a": "failed", "b": "passed", "c": "passed"}),
        ("<testsuite><testsuite><testcase name='a'><error/></testcase></testsuite></testsuite>",
         {"a": "error"}),
        ("<testsuite><testcase name='a'><skipped/><failure/></testcase></testsuite>", {"a": "failed"}),
        ("<testsuite><testcase name='a'><failure/><error/></testcase></testsuite>", {"a": "error"}),
        ("<testsuite><testcase name='a'><system-out>x</system-out></testcase></testsuite>", {"a": "passed"}),
        ("<testsuite><testcase/></testsuite>", {"unnamed": "passed"}),
        ("<testsuite><testcase name='a'><flakyFailure message='m'/></testcase></testsuite>", {"a": "flaky"}),
        ("<testsuite name='s' failures='1' errors='1'><testcase name='a'><failure/></testcase></testsuite>",
         {"a": "failed", "s": "error"}),
        ("<testsuite failures='0'><testcase name='a'><failure/></testcase></testsuite>", {"a": "failed"}),
        ("<testsuite tests='7'><testcase name='a'/></testsuite>", {"a": "passed"}),
        ("<testsuites/>", {}),
        ("<testsuite tests='3'/>", {}),
    ],
)  # fmt: skip
def test_suites_in_suites_are_read_and_the_worst_result_of_a_test_counts(
    tmp_path: Path, text: str, expected: dict[str, str]
) -> None:
    assert statuses(read(tmp_path, text)) == expected


@pytest.mark.parametrize(
    ("time", "expected"),
    [("time='0.25'", 0.25), ("time='1,234.5'", 1234.5), ("", None), ("time=''", None), ("time='nan'", None),
     ("time='inf'", None)],
)  # fmt: skip
def test_a_time_that_is_none_stays_unknown(tmp_path: Path, time: str, expected: float | None) -> None:
    assert one(tmp_path, f"<testsuite><testcase name='a' {time}/></testsuite>").duration_s == expected


def test_a_message_and_its_text_are_the_detail(tmp_path: Path) -> None:
    text = "<testsuite><testcase name='a'><failure message='no'>because</failure></testcase></testsuite>"
    assert one(tmp_path, text).detail == "no\nbecause"


def test_what_a_test_printed_is_kept_by_its_end(tmp_path: Path) -> None:
    out = f"<system-out>{'x' * 9000}last</system-out><system-err>error</system-err>"
    test = one(tmp_path, f"<testsuite><testcase name='a'>{out}</testcase></testsuite>")
    assert test.output.endswith("xlast\nerror")
    assert len(test.output) == 4000


def test_a_file_that_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    test = one(tmp_path, b"<testsuite>" + b" " * 32_000_000 + b"</testsuite>")
    assert (test.status, test.detail) == ("error", "broken JUnit: it is larger than 32 MB")


def test_no_file_and_an_empty_one_are_no_report(tmp_path: Path) -> None:
    assert read_junit(tmp_path / "none.xml") is None
    assert read_junit(tmp_path) is None
    assert read(tmp_path, "") is None


@pytest.mark.parametrize(
    "content",
    [
        b"\n",
        b"no xml",
        b"<testsuite><testcase name='a'/>",
        b"<html/>",
        b"<testsuite><testcase name='a' time='soon'/></testsuite>",
        b"<?xml version='1.0' encoding='no-such'?><testsuite/>",
        b"<testsuite><testcase name='\xff'/></testsuite>",
        b"<testsuite><testcase name='a\x00'/></testsuite>",
        b"\x89PNG\r\n\x1a\n",
        b"<testsuite>" * 200_000,
        b"<testsuite>" * 20_000 + b"</testsuite>" * 20_000,
    ],
    ids=lambda content: ascii(content[:30]),
)
def test_a_broken_file_is_one_error_and_never_a_pass(tmp_path: Path, content: bytes) -> None:
    test = one(tmp_path, content)
    assert (test.name, test.status) == ("junit.xml", "error")
    assert test.detail.startswith("broken JUnit: ")


def laughs() -> str:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE t [<!ENTITY a0 "ha">{entities}]><testsuite><testcase name="&a9;"/></testsuite>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("kind", ["bomb", "external", "remote"])
def test_a_file_that_declares_entities_is_refused_before_they_are_read(
    tmp_path: Path, kind: str, encoding: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("swordfish", encoding="utf-8")
    case = '<testsuite><testcase name="a"><failure>&x;</failure></testcase></testsuite>'
    text = {
        "bomb": laughs(),
        "external": f'<!DOCTYPE t [<!ENTITY x SYSTEM "{secret.as_uri()}">]>{case}',
        "remote": '<!DOCTYPE testsuite SYSTEM "http://127.0.0.1:9/a.dtd"><testsuite/>',
    }[kind]
    test = one(tmp_path, text.encode(encoding))
    assert (test.status, test.detail) == (
        "error", "broken JUnit: it has a document type, which JUnit's XML never needs"
    )  # fmt: skip


def test_a_hostile_name_is_kept_as_text_and_cut(tmp_path: Path) -> None:
    name = "&lt;script&gt;alert(1)&lt;/script&gt; ../../etc/passwd {run_id} %s" + "x" * 10_000
    test = one(tmp_path, f"<testsuite><testcase name='{name}'/></testsuite>")
    assert test.name.startswith("<script>alert(1)</script> ../../etc/passwd {run_id} %sxxx")
    assert len(test.name) == 500


def test_a_long_detail_is_cut_and_its_tokens_are_masked(tmp_path: Path) -> None:
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwcm9iZS0xIn0.c2lnbmF0dXJl"
    text = f"<testsuite><testcase name='t[{jwt}]'><error>{jwt} {'x' * 9000}</error></testcase></testsuite>"
    test = one(tmp_path, text)
    assert test.name == "t[[redacted]]"
    assert test.detail.startswith("[redacted] xxx")
    assert len(test.detail) == 2000


def test_the_known_secrets_are_masked_in_names_and_details(tmp_path: Path) -> None:
    file = tmp_path / "junit.xml"
    file.write_text(
        "<testsuite><testcase name='a[swordfish]'><error>swordfish!</error></testcase></testsuite>"
    )
    tests = read_junit(file, ("swordfish",))
    assert tests is not None
    assert (tests[0].name, tests[0].detail) == ("a[[redacted]]", "[redacted]!")
