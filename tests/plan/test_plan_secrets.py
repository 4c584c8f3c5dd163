"""A plan is archived as it is, so it may name a secret and never hold one."""

from __future__ import annotations

import pytest
from small_plan import PLAN, WritePlan, complaint

from runbook_lib.errors import PlanError
from runbook_lib.plan.file import load_plan
from runbook_lib.plan.secrets import ADVICE
from runbook_lib.run import Run

TOKEN = "ghp_" + "a1B2" * 9
SUITE = "suites: {smoke: {command: ['true'], env: {%s}}}\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (PLAN.replace("A plan", f"with {TOKEN}"), "plan.yaml:1: issue.title"),
        (PLAN + SUITE % "API_TOKEN: hunter2-hunter2", "plan.yaml:9: suites.smoke.env.API_TOKEN"),
        (PLAN + f"suites: {{smoke: {{command: [curl, 'http://x/?token={TOKEN}']}}}}\n",
         "plan.yaml:9: suites.smoke.command.1"),
        (PLAN + SUITE % "DB: postgres://me:hunter2@db/x", "plan.yaml:9: suites.smoke.env.DB"),
    ],
)  # fmt: skip
def test_a_secret_in_a_plan_is_refused_where_it_stands_and_is_not_shown(
    plan_file: WritePlan, text: str, place: str
) -> None:
    assert complaint(plan_file(text)) == f"{place}: {ADVICE}"


def test_a_secret_in_a_parameter_is_refused_too(plan_file: WritePlan) -> None:
    assert complaint(plan_file(), {"issue.title": TOKEN}) == f"issue.title: {ADVICE}"


@pytest.mark.parametrize(
    "entry", ["TOKEN_URL: 'https://id.test/t'", "MAX_TOKENS: '1000000'", "API_TOKEN: '{token_env}'",
              "SECRET_FILE: /run/secrets/x", "NAME: anything-at-all"],
)  # fmt: skip
def test_what_only_says_where_a_secret_is_may_stand_in_a_plan(plan_file: WritePlan, entry: str) -> None:
    assert load_plan(plan_file(PLAN + SUITE % entry)).suites["smoke"].env


def test_a_plan_that_spells_out_a_secret_of_the_environment_begins_no_run(
    plan_file: WritePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGING_TOKEN", "correct-horse-battery")
    file = plan_file(PLAN.replace("A plan", "correct-horse-battery"))
    with pytest.raises(PlanError, match="holds the value of a secret environment variable: take it out"):
        Run.start(file, {}, file.parent)
    assert list(file.parent.iterdir()) == [file]
