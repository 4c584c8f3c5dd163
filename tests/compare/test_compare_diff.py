"""Two runs' diff names the planted change and nothing else."""

from __future__ import annotations

import copy
from itertools import combinations
from typing import Any

import pytest
from made_runs import PLAN, made_run, write

from runbook_lib.compare import Difference, diff, past_run
from runbook_lib.errors import CorruptEvidence, PlanError
from runbook_lib.verdict import Outcome


def named(changes: tuple[Difference, ...]) -> list[tuple[str, str, str, str]]:
    return [(each.group, each.what, each.before, each.after) for each in changes]


def planted(**changes: Any) -> list[tuple[str, str, str, str]]:
    return named(diff(made_run(4), made_run(5, **changes)).changes)


def test_of_runs_that_differ_by_chance_alone_no_two_differ() -> None:
    diffs = [diff(*pair) for pair in combinations([made_run(seed) for seed in range(8)], 2)]
    assert [each.changes for each in diffs if each.changes] == []
    assert all(len(each.within_noise) > 5 for each in diffs)


def test_a_run_differs_in_nothing_from_itself() -> None:
    run = made_run(1)
    same = diff(run, run)
    assert (same.changes, same.within_noise) == ((), ())
    assert same.sentence() == "Nothing differs beyond chance; every value is the same"


def test_each_changed_field_of_the_plan_is_named_alone_with_its_path() -> None:
    plan = copy.deepcopy(PLAN)
    plan["probes"]["rounds"] = 3
    assert planted(plan=plan) == [("plan", "probes.rounds", "2", "3")]
    plan["criteria"][0]["at_most"] = 1.0
    plan["criteria"].append({"id": "new", "metric": "deploy.ready"})
    plan["probes"]["agents"].append("other")
    del plan["issue"]["number"]
    assert planted(plan=plan) == [
        ("plan", "issue.number", "891", "(not there)"),
        ("plan", "probes.rounds", "2", "3"),
        ("plan", "probes.agents", '["triage", "data"]', '["triage", "data", "other"]'),
        ("plan", "criteria.isolation.at_most", "0.0", "1.0"),
        ("plan", "criteria.new", "(not there)", '{"id": "new", "metric": "deploy.ready"}'),
    ]
    plan = copy.deepcopy(PLAN) | {"criteria": PLAN["criteria"][::-1]}
    order = '["isolation", "answer-latency"]', '["answer-latency", "isolation"]'
    assert planted(plan=plan) == [("plan", "criteria (order)", *order)]


def test_a_version_is_named_alone() -> None:
    assert planted(versions={"python": "3.12.1", "papermill": "2.7.0", "new": "1"}) == [
        ("versions", "python", "3.11.7", "3.12.1"),
        ("versions", "new", "(not there)", "1"),
    ]


def test_a_changed_image_is_named_once_whether_the_plan_names_it_or_not() -> None:
    assert planted(image="chat:3") == [("revisions", "candidate image", "chat:2", "chat:3")]
    plan = PLAN | {"candidate": {"image": "chat:3"}}
    assert planted(image="chat:3", plan=plan) == [("plan", "candidate.image", "chat:2", "chat:3")]


def test_a_changed_outcome_is_named_with_the_verdict_that_follows() -> None:
    assert planted(outcome=Outcome.FAIL) == [
        ("verdict", "action", "PROCEED_TO_PRODUCTION", "ROLLBACK"),
        ("criteria", "isolation: Isolation", "✓ PASS", "✗ FAIL"),
    ]


def test_an_outcome_that_one_run_could_not_settle_is_chance_and_so_is_what_follows() -> None:
    runs = [made_run(seed) for seed in (4, 3)]
    outcomes = [run.criteria["answer-latency"].outcome for run in runs]
    assert outcomes == [Outcome.PASS, Outcome.INCONCLUSIVE]
    found = diff(*runs)
    assert found.changes == ()
    assert [each.what for each in found.within_noise if each.group in ("verdict", "criteria")] == [
        "action",
        "answer-latency: Answers",
    ]


def test_a_test_that_fails_or_is_gone_is_named_and_a_flaky_one_is_chance() -> None:
    tests = {"test_login": "failed", "test_chat": "flaky", "test_new": "passed"}
    assert planted(tests=tests) == [
        ("tests", "golden-path: test_login", "passed", "failed"),
        ("tests", "golden-path: test_new", "(not there)", "passed"),
    ]


def test_a_slower_candidate_is_named_though_the_machine_has_its_moods() -> None:
    assert [what for _, what, _, _ in planted(slower=1.6)] == ["answer, median"]


def test_failing_sessions_are_named() -> None:
    found = planted(bad=0.2)
    assert found[0][:3] == ("values", "load.failures of the candidate", "0 sessions of 200")
    assert all("answer" in what or "load.failures" in what for _, what, _, _ in found)


def test_a_kind_of_line_that_only_one_run_has_is_named_and_a_rare_one_is_chance() -> None:
    found = planted(lines={"no context <*>": (30, 0), "lock not acquired": (0, 0), "retry 2 of <*>": (1, 1)})
    assert [(group, what) for group, what, _, _ in found] == [("logs", "candidate: no context <*>")]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("plan.yaml", "[", "plan.yaml is no YAML: "),
        ("plan.yaml", "- 1", "plan.yaml is no plan: it must be a mapping"),
        ("verdict.json", "{}", "verdict.json: run_id: Field required"),
        ("evidence/run_logs.json", b"\xff", "evidence/run_logs.json is no JSON: "),
        ("evidence/load_sessions.parquet", "PAR1", "evidence/load_sessions.parquet is no Parquet file"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, content: str | bytes, error: str) -> None:
    run = made_run(5)
    write(run.place, name, content)
    with pytest.raises(CorruptEvidence) as caught:
        diff(made_run(6), past_run(run.place))
    assert str(caught.value).startswith(f"{run.place.address}/{error}")


def test_a_folder_that_is_no_run_is_refused() -> None:
    with pytest.raises(PlanError) as caught:
        past_run(made_run(7).place / "evidence")
    assert str(caught.value).endswith("evidence is no run folder: it has no plan.yaml")


def test_what_a_run_says_is_shown_without_secrets_and_without_commands_to_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STAGING_PASSWORD", "correct horse")
    plan = PLAN | {"issue": {"title": "correct horse \x1b[31m\u202e ghp_0123456789abcdef0123", "number": 891}}
    found = diff(made_run(4), made_run(5, plan=plan))
    (words,) = found.table(found.changes).itertuples(index=False, name=None)
    assert words[3] == "[redacted]  [redacted]"
