"""Whatever others wrote, a reader understands it or refuses it by name: a small share of `make fuzz`."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzzing import fuzz
from parsers import Parser, parsers

from runbook_lib.errors import RunbookError

CASES = 2000
NAMES = (
    "plan", "parameters", "ledger", "evidence", "junit", "lease", "frames", "service", "revision", "log page",
)  # fmt: skip


def parser_named(name: str, folder: Path) -> Parser:
    return next(parser for parser in parsers(folder / "run") if parser.name == name)


def test_every_reader_is_fuzzed(tmp_path: Path) -> None:
    assert tuple(parser.name for parser in parsers(tmp_path)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_bad_input_is_read_or_refused_by_name(name: str, tmp_path: Path) -> None:
    parser = parser_named(name, tmp_path)
    for good in parser.good:
        parser.read(good)
    refused = fuzz(parser, max(50, int(CASES * parser.weight)))
    assert refused or not parser.refuses


def test_an_error_that_a_reader_does_not_name_is_found(tmp_path: Path) -> None:
    def crash(data: bytes) -> None:
        if b"\0" in data:
            raise KeyError("gone")

    parser = Parser(name="crashing", good=(b"a good one",), read=crash, refuses=(RunbookError,))
    with pytest.raises(AssertionError, match=r"crashing answered b'.* with KeyError: 'gone'"):
        fuzz(parser, 2000)
