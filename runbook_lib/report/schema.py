"""Publish the JSON schema of `verdict.json`, for those who read it without this package.

Run `python -m runbook_lib.report.schema docs/verdict.schema.json` after a change of `verdict.Verdict`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from runbook_lib.verdict import Verdict


def render() -> str:
    """Return the schema as JSON text, in a stable order."""
    schema = Verdict.model_json_schema(by_alias=True, mode="serialization")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "verdict.json, schema 1"}
    return json.dumps({**schema, **head}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write(path: Path) -> None:
    """Write the schema to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
