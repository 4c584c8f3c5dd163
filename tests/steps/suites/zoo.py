"""Suites that lie or are odd, each with what a careful person would say of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

REACH = """
import os, sys, time, urllib.request

def reach(url=None):
    agent = {"User-Agent": os.environ["RUNBOOK_USER_AGENT"]}
    request = urllib.request.Request((url or os.environ["URL"]) + "/health", headers=agent)
    return urllib.request.urlopen(request, timeout=20).status
"""
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwcm9iZS0xIn0.c2lnbmF0dXJl"
BOMB = '<!DOCTYPE t [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>'
CACHED = [
    {"Action": "run", "Package": "x", "Test": "TestA"},
    {"Action": "pass", "Package": "x", "Test": "TestA", "Elapsed": 1.5},
    {"Action": "output", "Package": "x", "Output": "ok  \tx\t(cached)\n"},
    {"Action": "pass", "Package": "x"},
]


@dataclass(frozen=True, kw_only=True)
class Animal:
    """One suite and what is to be said of it.

    Attributes:
        body: A pytest file or, where `script`, a Python script; `reach` is known in it.
        statuses: The status of each test, in order.
        value: The failures that count; None where nothing was proven.
        fields: More fields of the plan's suite.
        says: What the first test's detail holds.
    """

    body: str
    statuses: tuple[str, ...]
    value: float | None
    script: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    says: str = ""


def pytest_file(body: str, value: float | None, *statuses: str, says: str = "", **fields: Any) -> Animal:
    """Return a suite that pytest runs."""
    return Animal(body=body, statuses=statuses, value=value, says=says, fields=fields)


def script(body: str, value: float | None, *statuses: str, says: str = "", **fields: Any) -> Animal:
    """Return a suite that is a program; it has reached the candidate before it does anything odd."""
    return Animal(
        body=f"reach()\n{body}", statuses=statuses, value=value, script=True, says=says, fields=fields
    )


def writes(xml: str) -> str:
    """Return a program that writes a JUnit report and ends well."""
    return f"open(sys.argv[1], 'w').write({xml!r})"


ZOO = {
    # tests that prove nothing
    "asserts-nothing": pytest_file(
        "def test_a(): assert True", None, "hollow", says="no request in the suite"),
    "one-of-two-reaches": pytest_file(
        "def test_a(): reach()\ndef test_b(): time.sleep(0.01)", 0, "passed", "hollow"),
    "all-skipped": pytest_file(
        "import pytest\n@pytest.mark.skip('staging is away')\ndef test_a(): reach()", None, "skipped",
        says="staging is away"),
    "skips-itself-inside": pytest_file(
        "import pytest\ndef test_a():\n    reach()\n    pytest.skip('no key')", None, "skipped"),
    "expects-to-fail": pytest_file(
        "import pytest\n@pytest.mark.xfail\ndef test_a(): reach(); assert 0\n"
        "@pytest.mark.xfail\ndef test_b(): reach()\n@pytest.mark.xfail(strict=True)\ndef test_c(): reach()",
        None, "xfailed", "xpassed", "xpassed"),
    "no-tests": pytest_file("", None),
    "deselects-everything": pytest_file("def test_a(): reach()", None, pytest=["test_it.py", "-k", "nope"]),
    "wrong-host": pytest_file("def test_a(): reach(os.environ['OTHER'])", None, "hollow"),
    "somebody-elses-requests": pytest_file(
        "def test_a(): urllib.request.urlopen(os.environ['URL'] + '/health')", None, "hollow"),
    "swallows-every-error": pytest_file(
        "def test_a():\n    try: reach('http://127.0.0.1:9')\n    except Exception: pass", None, "hollow"),
    "reaches-once-for-all": pytest_file(
        "import pytest\n@pytest.fixture(scope='module')\ndef got(): return reach()\n"
        "def test_a(got): assert got\ndef test_b(got): assert got", 0, "passed", "hollow"),
    "reaches-once-and-may": pytest_file(
        "import pytest\n@pytest.fixture(scope='module')\ndef got(): return reach()\n"
        "def test_a(got): assert got\ndef test_b(got): assert got", 0, "passed", "passed", reach_per="suite"),
    "needs-no-candidate": pytest_file("def test_a(): assert True", 0, "passed", must_reach_candidate=False),
    "takes-no-time": script(
        writes("<testsuite><testcase name='a' time='0'/></testsuite>"), None, "hollow", says="in 0 s"),
    "from-the-cache-of-go": script(
        "\n".join(f"print({json.dumps(event)!r})" for event in CACHED), None, "skipped", says="-count=1"),
    "has-no-token": pytest_file("def test_a(): reach()", None, "skipped", token_env="NO_SUCH_TOKEN",  # noqa: S106
                                says="the environment has no NO_SUCH_TOKEN"),
    "flaky": pytest_file(
        "from pathlib import Path\ndef test_a():\n    reach()\n    seen = Path('seen').exists()\n"
        "    Path('seen').touch()\n    assert seen", None, "flaky", retries=1, says="passed when run again"),
    # failures that hide
    "ends-well-with-failures": script(
        writes("<testsuite><testcase name='a'><failure message='it broke'/></testcase></testsuite>"),
        1, "failed", says="it broke"),
    "counts-failures-it-does-not-show": script(
        writes("<testsuite failures='2'><testcase name='a' time='1'/></testsuite>"), 1, "passed", "error"),
    "shows-failures-it-does-not-count": script(
        writes("<testsuite failures='0'><testcase name='a'><error/></testcase></testsuite>"), 1, "error"),
    "broken-xml": script(writes("<testsuite><testcase name='a'"), 1, "error", says="broken JUnit"),
    "entity-bomb": script(writes(BOMB), 1, "error", says="document type"),
    "report-of-yesterday": script("", 1, "error", says="wrote nothing to old.xml", junit="old.xml"),
    "tap-that-fails-and-ends-well": script("print('1..2\\nok 1 - a\\nnot ok 2 - b')", 1, "passed", "failed"),
    "tap-cut-off": script("print('1..3\\nok 1 - a\\nok 2 - b')", 1, "passed", "passed", "error"),
    "fails-after-its-tests": script(
        writes("<testsuite><testcase name='a' time='1'/></testsuite>") + "; sys.exit(3)",
        1, "passed", "failed"),
    "cannot-be-imported": pytest_file("import no_such_module", 1, "error", says="no_such_module"),
    "ends-the-interpreter-well": pytest_file(
        "def test_a(): reach()\ndef test_b(): reach(); os._exit(0)", 1, "passed", "error"),
    "crashes-the-interpreter": pytest_file("def test_a(): reach(); os.abort()", 1, "error"),
    "is-killed": script("os.kill(os.getpid(), 9)", 1, "failed"),
    "sleeps-for-ever": script("time.sleep(600)", 1, "error", says="its time limit of 4 s", timeout_s=4),
    "prints-for-ever": script(
        "while True: print('y' * 9999)", 1, "error", says="its time limit of 4 s", timeout_s=4),
    # odd, and yet good
    "leaves-a-child": script(
        "import subprocess\nchild = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "open('child', 'w').write(str(child.pid))", 0, "passed"),
    "fifty-megabytes": script(
        "print('the beginning')\nfor _ in range(50): print('x' * 1_000_000)\nprint('the end')", 0, "passed"),
    "binary-output": script("sys.stdout.buffer.write(bytes(range(256)) * 9)", 0, "passed"),
    "hostile-names": script(
        writes("<testsuite><testcase name='../../../etc/x &lt;script&gt;'><failure/></testcase></testsuite>"),
        1, "failed"),
    # what the baseline tells
    "fails-on-the-candidate-alone": pytest_file(
        "def test_a():\n    reach()\n    assert os.environ['URL'] == os.environ['OTHER']", 1, "failed",
        on_baseline="failed"),
    "fails-on-both": pytest_file("def test_a(): reach(); assert 0", 1, "failed", on_baseline="failed"),
    "is-fixed": pytest_file(
        "def test_a():\n    reach()\n    assert os.environ['URL'] != os.environ['OTHER']", 0, "passed",
        on_baseline="always"),
    "cannot-be-sent-to-the-baseline": script(
        "sys.exit(4)", 1, "failed", on_baseline="failed", env={"URL": "{plain_url}", "OTHER": ""}),
    "colours-everything": script("print('\\033[31mred\\033[0m')", 0, "passed"),
    # secrets
    "prints-a-token": pytest_file(
        f"def test_a():\n    reach()\n    print('{JWT}', *os.environ['MY_THING'], sep='\\033[1m')\n"
        "    assert 0, os.environ['MY_THING'] + os.environ['A_SECRET']", 1, "failed", token_env="MY_THING"),  # noqa: S106
}  # fmt: skip
