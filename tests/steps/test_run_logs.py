"""The logs of the whole run against the emulator: what is new, how requests ended, what it cost to read."""

from __future__ import annotations

import local
import pandas as pd
from cloud import Staging, measured

from runbook_lib.plan import Analytics, Plan
from runbook_lib.steps.logs import read_logs
from runbook_lib.steps.run_logs import read_run_logs


def ids(table: pd.DataFrame) -> set[str]:
    """Return the ids of entries, which must be there once each."""
    assert table["insert_id"].is_unique
    return set(table["insert_id"])


def plan_of(staging: Staging, image: str, **logs: object) -> Plan:
    """Return the plan that deploys an image beside the healthy one."""
    staging.create()
    return staging.plan(candidate={"image": image}, logs=logs)


def test_what_only_the_candidate_says_is_new_and_no_entry_is_read_twice(staging: Staging) -> None:
    plan = plan_of(staging, "sample-agent:startup-error")
    deployed = staging.deploy(plan)
    ports = staging.ports(plan)
    before = read_logs(plan, deployed, ports)
    for _ in range(3):
        local.get(f"{deployed.candidate_url}/health")
    local.get(f"{deployed.baseline_url}/nothing-here")
    seen = read_run_logs(plan, deployed, before.entries, ports)

    assert ids(before.entries) < ids(seen.entries)
    assert seen.evidence.read_requests == 2
    whole = read_run_logs(plan, deployed, None, staging.ports(plan))
    assert ids(seen.entries) <= ids(whole.entries)
    new = [each for each in seen.evidence.templates if each.change == "new" and each.severity == "ERROR"]
    found = measured(seen.evidence)["logs.novel_errors"]
    assert (found.value, found.note) == (1, new[0].example)
    mine, theirs = seen.evidence.requests
    assert (mine.classes, theirs.classes) == ({"2xx": 4}, {"4xx": 1})  # the deploy step has asked once
    ratios = [measured(seen.evidence, role)["logs.error_ratio"] for role in ("candidate", "baseline")]
    assert [(each.value, each.samples) for each in ratios] == [(0, 4), (0, 1)]
    assert mine.interval is not None
    assert mine.interval[1] > 0.4
    assert seen.evidence.notes == ()

    logs = plan.logs.model_copy(update={"max_entries": 3, "analytics": Analytics(dataset="logs")})
    many = plan.model_copy(update={"logs": logs})
    counted = read_run_logs(many, deployed, None, staging.ports(many))
    # Both start-ups are counted; the few entries since are read.
    assert (counted.evidence.queries, counted.evidence.read_requests) in ((6, 2), (7, 1), (8, 0))
    read = {each.template: (each.change, each.candidate, each.baseline) for each in whole.evidence.templates}
    known = {
        each.template: (each.change, each.candidate, each.baseline) for each in counted.evidence.templates
    }
    assert read.items() <= known.items()  # it was read a moment earlier
    again = measured(counted.evidence)["logs.novel_errors"]
    assert (again.value, again.samples, again.note) == (found.value, found.samples, found.note)
    assert counted.evidence.counted["candidate"] > 3
    assert counted.evidence.requests[0].requests == 4
    assert "were counted by BigQuery and not read" in counted.evidence.notes[0]


def test_nothing_is_new_on_a_revision_that_says_the_same(staging: Staging) -> None:
    plan = plan_of(staging, "sample-agent:healthy")
    deployed = staging.deploy(plan)
    seen = read_run_logs(plan, deployed, None, staging.ports(plan))

    assert measured(seen.evidence)["logs.novel_errors"].value == 0
    said = {each.template: each.change for each in seen.evidence.templates}
    assert (said["starting"], said["listening"]) == ("same", "same")  # an instance of one may also have ended


def test_silence_and_a_cut_are_told_and_are_no_evidence(staging: Staging) -> None:
    plan = plan_of(staging, "sample-agent:healthy")
    deployed = staging.deploy(plan)
    silent = plan.model_copy(update={"logs": plan.logs.model_copy(update={"filter": "severity>=EMERGENCY"})})
    seen = read_run_logs(silent, deployed, None, staging.ports(silent))

    found = measured(seen.evidence)["logs.novel_errors"]
    assert (found.value, found.note) == (None, "one of the revisions logged nothing that could be compared")
    assert len([note for note in seen.evidence.notes if note.endswith("no log entry in the whole run")]) == 2

    short = plan.model_copy(update={"logs": plan.logs.model_copy(update={"max_entries": 1})})
    seen = read_run_logs(short, deployed, None, staging.ports(short))
    assert measured(seen.evidence)["logs.novel_errors"].missing > 0
    assert seen.evidence.notes[0].startswith("only the oldest 1 entries of ")
    assert seen.evidence.notes[0].endswith(
        ": narrow logs.filter, raise logs.max_entries, or have them counted by logs.analytics"
    )
