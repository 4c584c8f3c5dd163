"""The sample service's own suites and runner: green on the fixed revision, red on the one before it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from junitparser import JUnitXml
from sample_process import ROOT, running

FOLDER = ROOT / "runbook_lib" / "emulator" / "sample_service"
GOLDEN = "tests/e2e/test_golden_path_websocket_auth_staging.py"
GOLDEN_TESTS = f"{GOLDEN}::WebSocketAuthGoldenPathStagingTests"
REGISTRY = "tests/e2e/test_agent_registry_adapter_gcp_staging.py"
FULL_FLOW = f"{REGISTRY}::AgentRegistryAdapterGCPStagingTests::test_staging_agent_execution_full_flow"
SEED_RUN = ["--category", "e2e", "--test-pattern", "*staging*", "--real-services"]
FAST = {"ANSWER_S": "0.04"}


def python(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the service's folder, as the seed's commands do."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("STAGING_", "RUNBOOK_"))
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=FOLDER,
        env={**clean, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def outcomes(report: Path) -> dict[str, str]:
    """Return each test's outcome from a JUnit file."""
    cases = [case for suite in JUnitXml.fromfile(str(report)) for case in suite]
    return {case.name: (type(case.result[0]).__name__ if case.result else "Passed") for case in cases}


def test_unified_runner_passes_on_healthy_and_writes_a_report(tmp_path: Path) -> None:
    """The seed's comprehensive command, with every test truly run."""
    report = tmp_path / "junit.xml"
    with running("healthy", **FAST) as process:
        done = python(
            "tests/unified_test_runner.py", *SEED_RUN, f"--junit-xml={report}", STAGING_BASE_URL=process.url
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(outcomes(report)) == 10
    assert set(outcomes(report).values()) == {"Passed"}
    assert "10 passed, 0 failures, 0 errors, 0 skipped; exit code 0" in done.stdout


def test_suites_on_the_previous_revision_show_what_the_fix_was_for(tmp_path: Path) -> None:
    """Users together and repeated agent starts are red; one quiet user on the golden path is green."""
    report = tmp_path / "junit.xml"
    with running("previous", **FAST) as process:
        done = python(
            "tests/unified_test_runner.py", *SEED_RUN, f"--junit-xml={report}", STAGING_BASE_URL=process.url
        )
    assert done.returncode == 1, done.stdout + done.stderr
    seen = outcomes(report)
    assert seen["test_concurrent_user_websocket_connections_staging"] == "Failure"
    assert seen["test_staging_agent_execution_full_flow"] == "Failure"
    assert seen["test_complete_golden_path_user_flow_staging"] == "Passed"


@pytest.mark.parametrize(
    ("variant", "red"),
    [
        (
            "no-answer",
            f"{GOLDEN}::WebSocketAuthGoldenPathStagingTests::test_complete_golden_path_user_flow_staging",
        ),
        (
            "isolation-leak",
            f"{GOLDEN}::WebSocketAuthGoldenPathStagingTests::test_concurrent_user_websocket_connections_staging",
        ),
        ("factory-failure", FULL_FLOW),
        ("missing-event", "tests/e2e/test_websocket_infrastructure_staging.py"),
    ],
)
def test_suite_is_red_on_the_variant_that_it_was_made_for(variant: str, red: str) -> None:
    """By node id, as the seed names its critical tests."""
    with running(variant, **FAST) as process:
        done = python("-m", "pytest", red, "-v", STAGING_BASE_URL=process.url, STAGING_TIMEOUT_S="2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED" in done.stdout


def test_suite_runs_as_a_plain_script_and_names_its_run() -> None:
    """`python FILE -v`, the seed's third form."""
    with running("healthy", **FAST) as process:
        done = python(GOLDEN, "-v", STAGING_BASE_URL=process.url, RUNBOOK_RUN_ID="run-7")
    assert done.returncode == 0, done.stderr
    assert "Ran 4 tests" in done.stderr
    assert "skipped" not in done.stderr
    opened = [entry["user_agent"] for entry in process.log if entry["message"] == "session opened"]
    assert opened
    assert set(opened) == {"runbook/run-7"}


def test_without_a_staging_address_every_test_is_skipped_and_the_runner_says_hollow() -> None:
    """Exit 0, as such suites do in real life: whoever reads only the code is fooled."""
    done = python("tests/unified_test_runner.py", *SEED_RUN)
    assert done.returncode == 0
    assert "0 passed, 0 failures, 0 errors, 10 skipped (hollow: every test was skipped)" in done.stdout


def test_a_pattern_that_chooses_nothing_is_a_failure() -> None:
    """As pytest's own exit code for nothing collected."""
    done = python(
        "tests/unified_test_runner.py", "--category=e2e", "--test-pattern=*nope*", "--real-services"
    )
    assert done.returncode == 5
    assert "no file in tests/e2e matches '*nope*'" in done.stderr


def test_real_services_must_be_allowed() -> None:
    """A run that would reach something real needs to be told so."""
    done = python("tests/unified_test_runner.py", "--category=e2e")
    assert done.returncode == 2
    assert "allow it with --real-services" in done.stderr
