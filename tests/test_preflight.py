"""A validation that lacks a permission is told which, on what, and what to grant; nothing is changed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import local
import pytest
from cloud import Staging, emulator, staging

from runbook_lib.errors import CloudError, CloudUnavailable, PermissionsMissing
from runbook_lib.gcp import Cloud
from runbook_lib.plan import Plan
from runbook_lib.plan.file import dump_plan
from runbook_lib.preflight import Preflight, needs_of, passed, preflight
from runbook_lib.run_folder import Event, LedgerEntry

__all__ = ["emulator", "staging"]

ROOT = Path(__file__).parents[1]
RUNBOOK = Path(sys.executable).parent / "runbook"
UPDATE, OPERATIONS = "run.services.update", "run.operations.get"


@pytest.fixture
def take_away(staging: Staging) -> Iterator[Iterable[str]]:
    """Takes permissions from the caller; gives all back afterwards."""
    url = f"http://{staging.endpoints.bigquery}/faults"

    def take(*permissions: str) -> None:
        for permission in permissions:
            document = {"name": "missing-permission", "permission": permission}
            local.post(url, json=document).raise_for_status()

    yield take
    local.delete(url)


@dataclass(frozen=True)
class Answers:
    """Permissions as a stand-in gives them; an error is what it answers with."""

    service: frozenset[str] | CloudError
    project: frozenset[str] | CloudError

    def on_service(self, asked: Iterable[str]) -> frozenset[str]:
        return _answer(self.service, asked)

    def on_project(self, asked: Iterable[str]) -> frozenset[str]:
        return _answer(self.project, asked)


def _answer(said: frozenset[str] | CloudError, asked: Iterable[str]) -> frozenset[str]:
    if isinstance(said, CloudError):
        raise said
    return said & frozenset(asked)


def flown(staging: Staging, plan: Plan) -> Preflight:
    """Ask the emulator."""
    return preflight(plan, Cloud(staging.target, staging.endpoints).permissions)


def everything(plan: Plan) -> frozenset[str]:
    return frozenset(need.permission for need in needs_of(plan))


def test_whoever_has_everything_may_begin(staging: Staging) -> None:
    staging.create()
    found = flown(staging, staging.plan())
    found.require()
    assert found.words() == "7 of 7 permissions are granted"


def test_everything_that_is_missing_is_told_at_once(staging: Staging, take_away: Iterable[str]) -> None:
    staging.create()
    take_away(UPDATE, OPERATIONS, "logging.*", "monitoring.*")
    found = flown(staging, staging.plan())
    assert found.words() == "3 of 7 permissions are granted"
    with pytest.raises(PermissionsMissing) as refused:
        found.require()
    assert str(refused.value).splitlines() == [
        f"permission {UPDATE} is missing on service {staging.service}: grant roles/run.developer",
        f"permission {OPERATIONS} is missing on project test-project: grant roles/run.viewer",
        "permission logging.logEntries.list is missing on project test-project: grant roles/logging.viewer",
        "permission monitoring.timeSeries.list is missing on project test-project: "
        "grant roles/monitoring.viewer",
    ]
    assert refused.value.exit_code == 3


def test_a_rehearsal_of_a_service_that_is_yet_to_be_created_may_begin(
    staging: Staging, take_away: Iterable[str]
) -> None:
    plan = staging.plan(target={"baseline_image": "sample-agent:healthy"})
    assert flown(staging, plan).words() == "8 of 8 permissions are granted"
    take_away("run.services.create")
    assert [need.permission for need in flown(staging, plan).missing] == ["run.services.create"]


def test_a_plan_that_counts_by_queries_needs_to_make_them(staging: Staging) -> None:
    plan = staging.plan(logs={"analytics": {"dataset": "logs"}})
    assert [need.permission for need in needs_of(plan)][-1] == "bigquery.jobs.create"


def test_a_grant_on_the_service_alone_is_enough_for_what_is_asked_of_it(staging: Staging) -> None:
    plan = staging.plan()
    on_service = frozenset(need.permission for need in needs_of(plan) if need.on == "service")
    found = preflight(plan, Answers(on_service, everything(plan) - on_service))
    assert (found.missing, found.unknown) == ((), ())


def test_what_cannot_be_asked_is_told_and_no_reason_not_to_begin(staging: Staging) -> None:
    plan = staging.plan()
    off = CloudError("projects.testIamPermissions", "p", "PERMISSION_DENIED (API is off)", "see the message")
    found = preflight(plan, Answers(everything(plan), off))
    found.require()
    assert found.words() == (
        "4 of 7 permissions are granted; 3 could not be asked for: "
        "projects.testIamPermissions on p answered PERMISSION_DENIED (API is off): see the message"
    )


def test_what_is_missing_on_the_service_is_told_also_where_the_project_cannot_be_asked(
    staging: Staging,
) -> None:
    plan = staging.plan()
    off = CloudError("projects.testIamPermissions", "p", "UNIMPLEMENTED", "see the message")
    found = preflight(plan, Answers(everything(plan) - {UPDATE}, off))
    assert [need.permission for need in found.missing] == [UPDATE]


def test_a_cloud_that_does_not_answer_is_no_permission_that_is_missing(staging: Staging) -> None:
    plan = staging.plan()
    gone = CloudUnavailable("services.testIamPermissions", "s", "UNAVAILABLE", "check the network")
    with pytest.raises(CloudUnavailable):
        preflight(plan, Answers(gone, everything(plan)))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], False),
        ([("run started", "")], False),
        ([("run started", ""), ("step done", "preflight")], True),
        ([("run started", ""), ("step failed", "preflight")], False),
        ([("step failed", "preflight"), ("step done", "preflight"), ("step started", "deploy")], True),
        ([("step done", "preflight"), ("run resumed", "")], False),
    ],
)
def test_a_preflight_holds_until_the_run_is_begun_again(
    events: list[tuple[Event, str]], expected: bool
) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert passed([LedgerEntry(time=noon, event=event, step=step) for event, step in events]) == expected


def test_the_command_and_a_run_say_it_and_a_run_changes_nothing(
    staging: Staging, take_away: Iterable[str], tmp_path: Path
) -> None:
    staging.create()
    plan = staging.plan(report={"folder": str(tmp_path / "outputs")})
    file = tmp_path / "plan.yaml"
    file.write_text(dump_plan(plan, tmp_path), encoding="utf-8")
    before = staging.client.get_service(name=staging.name)
    take_away(UPDATE)
    missing = f"permission {UPDATE} is missing on service {staging.service}: grant roles/run.developer"

    asked, begun = (runbook(command, str(file)) for command in ("preflight", "run"))

    assert (asked.returncode, begun.returncode) == (3, 3), begun.stdout + begun.stderr
    assert asked.stderr == begun.stderr == f"PermissionsMissing: {missing}\n"
    (line,) = [line for line in asked.stdout.splitlines() if UPDATE in line]
    assert re.split(r"\s{2,}", line.strip())[:3] == ["missing", UPDATE, "service"]
    assert "6 of 7 permissions are granted" in asked.stdout
    assert "not asked for, look yourself: iam.serviceAccounts.actAs on the service's" in asked.stdout
    assert staging.client.get_service(name=staging.name) == before
    (ledger,) = tmp_path.glob("outputs/*/ledger.jsonl")
    told = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert [(each["event"], each.get("step", "")) for each in told] == [
        ("run started", ""),
        ("step failed", "preflight"),
        ("run ended", ""),
    ]
    assert told[1]["detail"] == missing
    assert told[2]["exit_code"] == 3


def runbook(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [RUNBOOK, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip
