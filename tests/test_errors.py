"""An error's text names the place or the call, the answer and the next act; its class gives the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib import errors
from runbook_lib.errors import (
    CloudError,
    CloudUnavailable,
    CorruptEvidence,
    HandshakeRejected,
    PlanError,
    RevisionNotReady,
    RunbookError,
    RunRefused,
    TurnTimeout,
)

FILE = Path("plan.yaml")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PlanError("is empty"), "is empty"),
        (PlanError("is empty", file=FILE), "plan.yaml: is empty"),
        (PlanError("is empty", file=FILE, line=3), "plan.yaml:3: is empty"),
        (PlanError("is missing", file=FILE, line=3, field="issue.title"),
         "plan.yaml:3: issue.title: is missing"),
        (PlanError("no such run", field="run"), "run: no such run"),
        (PlanError("unknown field", file=FILE, field="a", allowed=("b", "c")),
         "plan.yaml: a: unknown field (allowed: b, c)"),
        (CloudError("services.get", "backend-service", "403", "grant roles/run.viewer"),
         "services.get on backend-service answered 403: grant roles/run.viewer"),
        (RevisionNotReady("chat-00002-abc", "exited with 1", 12.4),
         "chat-00002-abc was not ready after 12 s: exited with 1"),
        (HandshakeRejected("/ws", 401, "bad token"), "/ws answered 401: bad token"),
        (HandshakeRejected("/ws", None, "refused"), "/ws answered nothing: refused"),
        (TurnTimeout("agent_completed", 75), "agent_completed did not come within 75.0 s"),
    ],
)  # fmt: skip
def test_the_text_of_an_error_is_exact(error: RunbookError, expected: str) -> None:
    assert str(error) == expected


def test_an_error_keeps_its_parts_for_those_who_handle_it() -> None:
    plan = PlanError("wrong", file=FILE, line=3, field="a", allowed=["b"])
    assert (plan.problem, plan.file, plan.line, plan.field, plan.allowed) == ("wrong", FILE, 3, "a", ("b",))
    cloud = CloudUnavailable("services.get", "chat", "UNAVAILABLE", "try again")
    assert (cloud.call, cloud.resource, cloud.status, cloud.hint) == (
        "services.get", "chat", "UNAVAILABLE", "try again"
    )  # fmt: skip
    assert HandshakeRejected("/ws", 401, "x").status == 401


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [(PlanError, 2), (RunRefused, 2), (RunbookError, 3), (CloudError, 3), (CorruptEvidence, 3)],
)
def test_a_wrong_plan_exits_with_2_and_what_could_not_be_seen_with_3(
    kind: type[RunbookError], exit_code: int
) -> None:
    assert kind.exit_code == exit_code


def test_every_error_of_the_runbook_can_be_caught_as_one() -> None:
    ours = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]
    assert len(ours) > 15
    assert all(issubclass(each, RunbookError) for each in ours)
