"""The example workflow is one that GitHub takes, keeps no key, and splices nothing into a script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

FILE = Path(__file__).parents[1] / ".github" / "workflows" / "validate.yml"


def test_the_workflow_fits_githubs_schema(tmp_path: Path) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    good = subprocess.run([*check, str(FILE)], capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stdout
    broken = tmp_path / "validate.yml"
    broken.write_text(FILE.read_text("utf-8").replace("runs-on:", "run-on:"))
    assert subprocess.run([*check, str(broken)], capture_output=True, check=False).returncode == 1


def test_it_signs_in_without_a_key_and_may_write_nothing() -> None:
    workflow = YAML(typ="safe").load(FILE.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read", "id-token": "write"}
    (auth,) = [step for step in _steps(workflow) if "google-github-actions/auth" in step.get("uses", "")]
    assert set(auth["with"]) == {"workload_identity_provider", "service_account"}


def test_no_expression_stands_in_a_script_and_the_record_is_always_kept() -> None:
    steps = _steps(YAML(typ="safe").load(FILE.read_text("utf-8")))
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []
    (kept,) = [step for step in steps if "upload-artifact" in step.get("uses", "")]
    assert kept["if"] == "always()"
    assert kept["with"]["path"] == "published/"


def _steps(workflow: dict) -> list[dict]:
    return list(workflow["jobs"]["validate"]["steps"])
