"""Which revision answered, on the emulator: by the service's word, or else by the request log."""

from __future__ import annotations

from cloud import Staging, measured

from runbook_lib.evidence import Measurement, TrafficShare
from runbook_lib.plan import Plan
from runbook_lib.steps.probes import observe_probes

SMALL = {
    "golden_path_sessions": 1, "concurrent_users": 2, "rounds": 1, "starts_per_agent": 1,
    "without": ["second-login", "drop-in-mid-stream", "same-user-twice", "reconnect"],
}  # fmt: skip
SILENT = {"health": {"revision_field": "", "polls": 4}, "protocol": {"revision_field": None}}


def strangers(staging: Staging, plan: Plan, *, moved: bool) -> dict[str, Measurement]:
    """Probe both revisions, after somebody moved the candidate's tag to the baseline if `moved`."""
    deployed = staging.deploy(plan)
    assert deployed.baseline
    if moved:
        name = deployed.baseline.name
        tags = [("baseline", 100), ("candidate", 0)]
        staging.cloud.run.set_traffic(
            [TrafficShare(revision=name, percent=percent, tag=tag) for tag, percent in tags]
        )
    evidence, _ = observe_probes(plan, deployed, staging.ports(plan))
    return {role: measured(evidence, role)["revision.strangers"] for role in ("candidate", "baseline")}


def test_a_service_that_says_nothing_is_known_by_the_request_log_of_each_revision(staging: Staging) -> None:
    staging.create()
    found = strangers(staging, staging.plan(probes={**SMALL, **SILENT}), moved=False)
    assert [(each.value, each.samples) for each in found.values()] == [(0, 4)] * 2


def test_a_tag_that_leads_to_the_baseline_is_found_by_the_log_and_by_the_service(staging: Staging) -> None:
    staging.create()
    plan = staging.plan(probes={**SMALL, **SILENT})
    silent = strangers(staging, plan, moved=True)["candidate"]
    assert (silent.value, silent.samples) == (4, 4)
    assert silent.note.endswith("has none of the 4 polls of its URL")

    spoken = strangers(staging, staging.plan(probes=SMALL), moved=True)
    assert spoken["candidate"].value == spoken["candidate"].samples > 10
    assert " was answered by " in spoken["candidate"].note
    assert spoken["baseline"].value == 0
