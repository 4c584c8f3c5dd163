"""A run leaves its failures' bundles in its folder, and none of the secrets that a suite has printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from cloud import Staging
from zoo import JWT

from runbook_lib.places import LIVE
from runbook_lib.plan.file import dump_plan
from runbook_lib.run import Run

SECRET, THING = "swordfish-4711", "opaque-thing-0815"
SUITE = f"""
import os, pytest, sys, urllib.request
secret = os.environ["A_SECRET"] + " " + os.environ["MY_THING"] + " {JWT}"

@pytest.mark.parametrize("name", [secret])
def test_a(name):
    urllib.request.urlopen(os.environ["URL"] + "/health?token=" + os.environ["MY_THING"])
    print(secret)
    print(secret, file=sys.stderr, end="")
    assert 0, secret
"""


def test_no_secret_that_a_suite_prints_is_in_the_run_folder(
    staging: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", SECRET)
    monkeypatch.setenv("MY_THING", THING)
    (tmp_path / "test_it.py").write_text(SUITE, encoding="utf-8")
    staging.create()
    suite = {
        "pytest": ["test_it.py", "-s"], "cwd": str(tmp_path), "retries": 0, "token_env": "MY_THING",
        "env": {"URL": "{candidate_url}"}, "on_baseline": "never",
    }  # fmt: skip
    plan = staging.plan(suites={"it": suite})
    run = Run.start(staging.script("plan.yaml", dump_plan(plan, tmp_path)), {}, tmp_path)
    told: list[str] = []
    run.deploy()
    run.run_suites(told.append)
    run.judge()
    run.write_reports()

    folder = run.folder.path
    files = [file for file in folder.rglob("*") if file.is_file()]
    written = {str(file.relative_to(folder)): file.read_bytes() for file in files}
    assert b"[redacted]" in written["evidence/suites.json"]
    secrets = (SECRET, THING, JWT)
    assert [name for name in written for text in secrets if text.encode() in written[name]] == []
    assert [line for line in told for text in secrets if text in line] == []
    bundle = [name.rpartition("/") for name in written if name.startswith("evidence/failures/")]
    assert sorted(file for _, _, file in bundle) == ["candidate.log", "failure.txt", "traces.txt"]
    assert f"{bundle[0][0]}/failure.txt".encode() in written["manifest.json"]
    assert LIVE not in written
