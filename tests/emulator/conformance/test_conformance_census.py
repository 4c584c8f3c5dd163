"""The conformance suite is as large as it should be, and each of its rows cites the page it follows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("census.py")
GOOGLE_S_PAGE = re.compile(r"https://(cloud\.google\.com|google\.aip\.dev)/\S+")


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    """Kind, page and test of every row, as pytest collects them in a process of its own."""
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.split("\t")[1:] for line in done.stdout.splitlines() if line.startswith("row\t")]


def test_it_has_120_rows_and_40_of_them_are_refusals(rows: list[list[str]]) -> None:
    assert len(rows) >= 120
    assert sum(kind == "refusal" for kind, *_ in rows) >= 40


def test_every_row_cites_one_page_of_google_s_documentation(rows: list[list[str]]) -> None:
    assert not [row for row in rows if len(row) != 3 or not GOOGLE_S_PAGE.fullmatch(row[1])]


@pytest.mark.parametrize(
    ("way", "at_least", "refusals"),
    [
        ("conformance/test_conformance_", 100, 90),
        ("test_emulator_rest.py", 30, 20),
        ("test_emulator_knative.py", 20, 20),
        ("test_emulator_gcloud.py", 15, 5),
    ],
)
def test_clients_rest_and_gcloud_all_have_rows(
    rows: list[list[str]], way: str, at_least: int, refusals: int
) -> None:
    kinds = [kind for kind, *_, test in rows if way in test]
    assert len(kinds) >= at_least
    assert kinds.count("refusal") >= refusals
