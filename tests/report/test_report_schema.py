"""The published schema of `verdict.json` is that of the code, and real verdicts satisfy it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import report_records as records

from runbook_lib.report import schema

PUBLISHED = Path(__file__).parents[2] / "docs" / "verdict.schema.json"


def test_the_published_schema_is_in_step_with_the_code() -> None:
    command = "python -m runbook_lib.report.schema docs/verdict.schema.json"
    assert PUBLISHED.read_text(encoding="utf-8") == schema.render(), f"run: {command}"


def test_a_verdict_satisfies_the_schema() -> None:
    verdict = json.loads(records.failing().verdict.model_dump_json(by_alias=True))  # type: ignore[union-attr]
    jsonschema.validate(verdict, json.loads(schema.render()))
    assert verdict["schema"] == 1


@pytest.mark.parametrize(
    ("field", "value"), [("action", "SHIP_IT"), ("schema", 2), ("surprise", 1), ("criteria", [{"id": "x"}])]
)
def test_what_is_no_verdict_does_not(field: str, value: object) -> None:
    verdict = json.loads(records.verdict().model_dump_json(by_alias=True))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**verdict, field: value}, json.loads(schema.render()))


def test_an_outcome_is_one_of_four_names() -> None:
    verdict = json.loads(records.verdict().model_dump_json(by_alias=True))
    verdict["criteria"][0]["outcome"] = "GREEN"
    with pytest.raises(jsonschema.ValidationError, match=r"PASS.*INCONCLUSIVE.*ERROR.*FAIL"):
        jsonschema.validate(verdict, json.loads(schema.render()))
