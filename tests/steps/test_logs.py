"""The logs step against the emulator's log."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta

import pytest
from cloud import Staging, measured

from runbook_lib.evidence import DeployEvidence, RevisionState
from runbook_lib.plan import Plan
from runbook_lib.steps.logs import LogsObservation, read_logs

COLUMNS = [
    "time", "severity", "revision", "log", "message", "stack", "status", "latency_s", "user_agent", "trace",
    "instance", "late_s", "insert_id", "count", "role",
]  # fmt: skip


def observe(
    staging: Staging, image: str = "sample-agent:healthy", **logs: object
) -> tuple[LogsObservation, DeployEvidence]:
    """Deploy an image beside a healthy baseline and read both start-ups."""
    staging.create()
    plan = staging.plan(candidate={"image": image}, logs=logs)
    deployed = staging.deploy(plan)
    return read(staging, plan, deployed), deployed


def read(staging: Staging, plan: Plan, deployed: DeployEvidence) -> LogsObservation:
    """Do the logs step."""
    return read_logs(plan, deployed, staging.ports(plan))


def aged(state: RevisionState | None, days: float) -> RevisionState:
    """Return the state as it would be of a revision made earlier."""
    assert state is not None
    assert state.settled is not None
    age = timedelta(days=days)
    return state.model_copy(update={"created": state.created - age, "settled": state.settled - age})


def test_a_healthy_start_has_entries_and_no_errors_on_both_revisions(staging: Staging) -> None:
    seen, deployed = observe(staging)

    assert [field.name for field in fields(seen)] == ["evidence", "entries"]
    assert list(seen.entries.columns) == COLUMNS
    for role, state in (("candidate", deployed.candidate), ("baseline", deployed.baseline)):
        found = measured(seen.evidence, role)["logs.startup_errors"]
        mine = seen.entries[seen.entries["role"] == role]
        assert state is not None
        assert set(mine["revision"]) == {state.name}
        assert (found.value, found.samples, found.unit, found.note) == (0, len(mine), "entries", "")
        assert found.samples >= 4
        assert found.window.start == state.created
        assert sum(seen.evidence.counts[role].values()) == found.samples
        assert set(seen.evidence.counts[role]) == {"INFO"}
    assert seen.evidence.findings == ()
    assert found.evidence == ("evidence/logs.json", "evidence/logs.parquet")


def test_an_error_line_at_start_up_is_found_on_the_candidate_only(staging: Staging) -> None:
    seen, _ = observe(staging, "sample-agent:startup-error")

    (finding,) = seen.evidence.findings
    assert (finding.severity, finding.role) == ("ERROR", "candidate")
    mine = measured(seen.evidence)["logs.startup_errors"]
    assert (mine.value, mine.note) == (1, finding.message)
    assert seen.evidence.counts["candidate"]["ERROR"] == 1
    assert measured(seen.evidence, "baseline")["logs.startup_errors"].value == 0


def test_a_container_that_crashes_leaves_its_last_words_as_findings(staging: Staging) -> None:
    seen, _ = observe(staging, "sample-agent:crash-loop")

    severities = {finding.severity for finding in seen.evidence.findings}
    assert "CRITICAL" in severities
    found = measured(seen.evidence)["logs.startup_errors"]
    assert found.value == len(seen.evidence.findings) >= 1
    times = [finding.time for finding in seen.evidence.findings]
    assert times == sorted(times)


def test_a_request_of_our_own_that_failed_is_shown_and_is_no_error_of_the_start_up(staging: Staging) -> None:
    seen, _ = observe(staging, "sample-agent:unhealthy")

    assert [finding.role for finding in seen.evidence.findings] == ["candidate"]
    assert seen.entries.query("severity == 'ERROR'")["status"].tolist() == [503]
    assert measured(seen.evidence)["logs.startup_errors"].value == 0


def test_no_entry_at_all_is_no_data_and_not_zero_errors(staging: Staging) -> None:
    seen, deployed = observe(staging, filter="severity>=EMERGENCY")

    assert deployed.candidate is not None
    found = measured(seen.evidence)["logs.startup_errors"]
    assert (found.value, found.samples) == (None, 0)
    assert found.note == f"{deployed.candidate.name} wrote no log entry in its start-up window"
    assert list(seen.entries.columns) == COLUMNS


def test_the_plans_filter_and_its_limit_narrow_what_is_read(staging: Staging) -> None:
    seen, _ = observe(staging, filter='logName:"stdout"', max_entries=1)

    assert list(seen.entries["log"]) == ["stdout", "stdout"]
    assert list(seen.entries["role"]) == ["candidate", "baseline"]


def test_a_baseline_older_than_the_look_back_is_no_data_and_says_so(staging: Staging) -> None:
    staging.create()
    plan = staging.plan(logs={"lookback_days": 1})
    deployed = staging.deploy(plan)
    old = deployed.model_copy(update={"baseline": aged(deployed.baseline, days=2)})
    seen = read(staging, plan, old)

    found = measured(seen.evidence, "baseline")["logs.startup_errors"]
    assert (found.value, found.samples) == (None, 0)
    assert found.note == "there is no such revision, or it started before the look-back"
    assert measured(seen.evidence)["logs.startup_errors"].value == 0


def test_with_nothing_to_read_the_table_still_has_its_columns(staging: Staging) -> None:
    staging.create()
    plan = staging.plan(logs={"lookback_days": 1})
    deployed = staging.deploy(plan)
    nothing = deployed.model_copy(update={"candidate": None, "baseline": aged(deployed.baseline, days=2)})
    seen = read(staging, plan, nothing)

    assert list(seen.entries.columns) == COLUMNS
    assert seen.entries.empty
    assert [each.samples for each in seen.evidence.measurements] == [0, 0]


@pytest.mark.parametrize("settle_s", [0.2, 1.0])
def test_the_step_waits_until_the_window_and_late_entries_are_over(staging: Staging, settle_s: float) -> None:
    seen, deployed = observe(staging, settle_s=settle_s)

    assert deployed.candidate is not None
    assert deployed.candidate.settled is not None
    window = measured(seen.evidence)["logs.startup_errors"].window
    assert window.end == deployed.candidate.settled + timedelta(seconds=settle_s)
    assert seen.evidence.complete_until >= window.end
