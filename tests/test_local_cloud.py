"""This machine's emulator is found, started where there is none, and told of where it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cloud import emulator_command

from runbook_lib.errors import CloudUnavailable, NotFound
from runbook_lib.gcp import Cloud
from runbook_lib.local_cloud import emulator_command as run_emulator_command
from runbook_lib.local_cloud import endpoints_of, environment_of
from runbook_lib.plan import Endpoints, Target

TARGET = Target(project="test-project", region="us-central1", service="x", endpoints="emulator")


def test_google_has_no_endpoints_of_its_own_and_needs_no_environment() -> None:
    assert endpoints_of(TARGET.model_copy(update={"endpoints": "google"})) is None
    assert environment_of(None) == {}


def test_addresses_in_the_plan_are_taken_as_they_are() -> None:
    given = Endpoints(run="a:1", logging="b:2", monitoring="c:3")

    assert endpoints_of(TARGET.model_copy(update={"endpoints": given})) is given
    assert environment_of(given) == {
        "RUNBOOK_RUN_ENDPOINT": "a:1",
        "RUNBOOK_LOGGING_ENDPOINT": "b:2",
        "RUNBOOK_MONITORING_ENDPOINT": "c:3",
    }
    told = environment_of(given.model_copy(update={"bigquery": "d:4"}))
    assert told["BIGQUERY_EMULATOR_HOST"] == "http://d:4"


def test_the_emulator_is_started_once_found_afterwards_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOK_EMULATOR_DIR", str(tmp_path / "state"))
    try:
        first = endpoints_of(TARGET)
        second = endpoints_of(TARGET)

        assert first is not None
        assert first == second
        state = json.loads((tmp_path / "state" / "emulator.json").read_text(encoding="utf-8"))
        assert (first.run, first.logging, first.monitoring) == (state["grpc"],) * 3
        assert f"http://{first.bigquery}" == state["http"]
        with pytest.raises(NotFound):  # it answers
            Cloud(TARGET, first).run.service()
        assert run_emulator_command(["down"]) == 0
        with pytest.raises(CloudUnavailable):
            Cloud(TARGET, first).run.service()
    finally:
        emulator_command("down", tmp_path / "state")


def test_an_emulator_that_cannot_start_is_unavailable_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("RUNBOOK_EMULATOR_DIR", str(tmp_path / "file" / "state"))
    with pytest.raises(CloudUnavailable) as raised:
        endpoints_of(TARGET)

    text = str(raised.value)
    assert text.startswith("runbook emulator up on this machine answered ")
    assert "Not a directory" in text
    assert text.endswith(": run it by hand")


def test_the_emulators_own_exit_code_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOK_EMULATOR_DIR", str(tmp_path / "nothing"))

    assert run_emulator_command(["status"]) == 3
