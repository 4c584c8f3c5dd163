"""A plan may extend another and be changed by parameters; mistakes still point to where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_plan import PLAN, WritePlan, complaint

from runbook_lib.plan.file import load_plan


def test_an_extending_plan_changes_only_what_it_states(plan_file: WritePlan) -> None:
    plan_file(PLAN + "logs: {settle_s: 3, filter: a}\n", "base.yaml")
    plan = load_plan(plan_file("extends: base.yaml\nlogs: {settle_s: 9}\n"))
    assert (plan.logs.settle_s, plan.logs.filter, plan.issue.title) == (9, "a", "A plan")


def test_a_chain_of_two_is_followed_from_each_files_own_folder(plan_file: WritePlan) -> None:
    plan_file(PLAN + "metrics: {settle_s: 1, drain_s: 1, idle_s: 1}\n", "a/b/first.yaml")
    plan_file("extends: b/first.yaml\nmetrics: {drain_s: 2, idle_s: 2}\n", "a/second.yaml")
    metrics = load_plan(plan_file("extends: a/second.yaml\nmetrics: {idle_s: 3}\n")).metrics
    assert (metrics.settle_s, metrics.drain_s, metrics.idle_s) == (1, 2, 3)


@pytest.mark.parametrize(
    ("base", "own", "expected"),
    [
        ("logs:\n  settle: 3\n", "extends: base.yaml\nlogs: {settle_s: 1}\n",
         "base.yaml:10: logs.settle: unknown field, did you mean settle_s? "
         "(allowed: filter, settle_s, lookback_days, max_entries, analytics, known_noise, clock_skew_s)"),
        ("logs:\n  settle_s: 3\n", "extends: base.yaml\n\nlogs:\n  settle_s: -1\n",
         "plan.yaml:4: logs.settle_s: Input should be greater than or equal to 0"),
        ("", "extends: base.yaml\n\n\ncriteria:\n  - id: ready\n    metric: x\n",
         "plan.yaml:6: criteria.0.metric: no metric 'x' (allowed: "),
        ("", "extends: base.yaml\ncriteria:\n  - id: more\n    title: T\n    metric: deploy.ready\n",
         "plan.yaml:3: criteria.1: give at_most, at_least or baseline, or else paired"),
        ("regressions:\n  - {id: x, title: X, criterion: ready}\n",
         "extends: base.yaml\nregressions:\n\n  - {title: Y, criterion: ready}\n",
         "plan.yaml:4: regressions.0.id: is missing"),
        ("regressions: [1]\n", "extends: base.yaml\nregressions:\n  - {id: Y, title: Y, criterion: ready}\n",
         "plan.yaml:3: regressions.0.id: String should match pattern '^[a-z][a-z0-9-]{0,62}$'"),
    ],
)  # fmt: skip
def test_a_mistake_points_into_the_file_that_makes_it(
    plan_file: WritePlan, base: str, own: str, expected: str
) -> None:
    plan_file(PLAN + base, "base.yaml")
    error = complaint(plan_file(own))
    assert error.startswith(expected) if expected.endswith(": ") else error == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("extends: none.yaml\n", "plan.yaml:1: extends: no such plan: none.yaml"),
        ("issue: {}\nextends: ..\n", "plan.yaml:2: extends: no such plan: .."),
        ("extends: plan.yaml\n", "plan.yaml:1: extends: extends itself"),
        ("extends: [a.yaml]\n", "plan.yaml:1: extends: must be a path"),
        ("extends: " + "a" * 5000, "plan.yaml:1: extends: no such plan: " + "a" * 5000),
    ],
    ids=["missing", "a folder", "itself", "a list", "too long a name"],
)
def test_a_plan_that_extends_nothing_or_itself_is_an_error(
    plan_file: WritePlan, text: str, expected: str
) -> None:
    assert complaint(plan_file(text)) == expected


def test_a_circle_of_two_plans_is_an_error_in_the_file_that_closes_it(plan_file: WritePlan) -> None:
    plan_file("extends: plan.yaml\n", "other.yaml")
    assert complaint(plan_file("extends: other.yaml\n")) == "other.yaml:1: extends: extends itself"


def test_a_broken_base_is_named_itself(plan_file: WritePlan) -> None:
    plan_file("a: [", "base.yaml")
    assert complaint(plan_file("extends: base.yaml\n")).startswith("base.yaml:1: is not YAML: ")


def test_criteria_merge_by_their_ids_and_new_ones_come_last(plan_file: WritePlan) -> None:
    plan_file(PLAN + "  - {id: slow, title: Slow, metric: deploy.duration_s, at_most: 5}\n", "base.yaml")
    own = """\
extends: base.yaml
criteria:
  - {id: new, title: New, metric: deploy.ready, at_least: 1}
  - {id: slow, at_most: 9}
"""
    criteria = load_plan(plan_file(own)).criteria
    assert [(each.id, each.title, each.at_most) for each in criteria] == [
        ("ready", "The revision is ready", None), ("slow", "Slow", 9), ("new", "New", None),
    ]  # fmt: skip


def test_a_second_criterion_of_one_id_is_no_way_to_change_the_first(plan_file: WritePlan) -> None:
    plan_file(PLAN, "base.yaml")
    twice = "  - {id: new, title: New, metric: deploy.ready, at_least: %d}\n"
    error = complaint(plan_file("extends: base.yaml\ncriteria:\n" + twice % 1 + twice % 0))
    assert error == "plan.yaml:4: criteria.1.id: a second 'new'"


def test_a_list_without_ids_is_replaced(plan_file: WritePlan) -> None:
    plan_file(PLAN + "rollout: {steps: [10, 50, 100]}\n", "base.yaml")
    assert load_plan(plan_file("extends: base.yaml\nrollout: {steps: [100]}\n")).rollout.steps == (100,)


def test_a_folder_is_relative_to_the_file_that_states_it(plan_file: WritePlan, tmp_path: Path) -> None:
    base = PLAN.replace('image: "chat:2"', "command: [deploy], cwd: ../tool")
    plan_file(
        base + "suites: {a: {pytest: [t], cwd: sub}, b: {pytest: [t]}, c: {pytest: [t]}}\n", "x/base.yaml"
    )
    plan = load_plan(
        plan_file("extends: x/base.yaml\nsuites: {a: {timeout_s: 9}, b: {cwd: mine}, d: {pytest: [t]}}\n")
    )
    assert plan.candidate.cwd == str(tmp_path / "tool")
    assert {name: Path(suite.cwd).relative_to(tmp_path) for name, suite in plan.suites.items()} == {
        "a": Path("x/sub"), "b": Path("mine"), "c": Path("x"), "d": Path(),
    }  # fmt: skip


def test_a_folder_given_as_a_parameter_is_relative_to_here(
    plan_file: WritePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    file = plan_file(PLAN + "suites: {a: {pytest: [t]}}\n")
    assert load_plan(file, {"suites.a.cwd": "sub"}).suites["a"].cwd == str(tmp_path / "here" / "sub")


@pytest.mark.parametrize("text", ["1.10", "1234e56", "no", "0012", "true", "null", "~", "[1]", "", " a "])
def test_the_text_of_a_parameter_stays_text(plan_file: WritePlan, text: str) -> None:
    plan = load_plan(plan_file(), {"candidate.env.VERSION": text, "issue.title": text})
    assert (plan.candidate.env["VERSION"], plan.issue.title) == (text, text)


@pytest.mark.parametrize("text", ["1.10", "1234e56", "no", "0012"])
def test_an_image_given_by_its_short_name_stays_text_and_takes_the_commands_place(
    plan_file: WritePlan, text: str
) -> None:
    file = plan_file(PLAN.replace('image: "chat:2"', "command: [deploy]"))
    candidate = load_plan(file, {"candidate": text}).candidate
    assert (candidate.image, candidate.command) == (text, ())


def test_the_baseline_has_a_short_name_too(plan_file: WritePlan) -> None:
    file = plan_file(PLAN.replace("service: chat", "service: chat, endpoints: emulator"))
    assert load_plan(file, {"baseline": "chat:1"}).target.baseline_image == "chat:1"


def test_a_parameter_is_converted_to_the_type_of_its_field(plan_file: WritePlan) -> None:
    given = {"logs.settle_s": "2.5", "probes.load.sessions": "7", "issue.number": "891"}
    plan = load_plan(plan_file(), given)
    assert (plan.logs.settle_s, plan.probes.load.sessions, plan.issue.number) == (2.5, 7, 891)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("logs.settle", "3", "logs.settle: parameter: unknown field, did you mean settle_s? "
         "(allowed: filter, settle_s, lookback_days, max_entries, analytics, known_noise, clock_skew_s)"),
        ("log.settle_s", "3", "log: parameter: unknown field, did you mean logs? (allowed: issue, "),
        ("probes.load.sessions", "many", "probes.load.sessions: parameter: Input should be a valid integer, "
         "unable to parse string as an integer"),
        ("rollout.strategy", "canary", "rollout.strategy: parameter: 'canary' is not one of them "
         "(allowed: tag, direct)"),
        ("criteria.0.at_most", "3", "criteria.0.at_most: only fields of mappings can be set by a parameter"),
        ("issue.title.x", "3", "issue.title.x: only fields of mappings can be set by a parameter"),
        ("criteria", "3", "criteria: parameter: must be a list"),
        ("nope", "3", "nope: parameter: unknown field (allowed: issue, "),
        ("candidate.env.1A", "3", "candidate.env.1A: parameter: String should match pattern "),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named_as_one(plan_file: WritePlan, name: str, text: str, expected: str) -> None:
    assert complaint(plan_file(), {name: text}).startswith(expected)


def test_a_parameter_does_not_take_the_blame_for_its_sections_other_mistakes(plan_file: WritePlan) -> None:
    file = plan_file(PLAN.replace("{title: A plan}", "{risk: LOW}"))
    assert complaint(file, {"issue.number": "3"}) == "plan.yaml:1: issue.title: is missing"


def test_an_image_beside_a_command_is_told_where_the_command_stands(plan_file: WritePlan) -> None:
    file = plan_file(PLAN.replace('image: "chat:2"', "command: [deploy]"))
    error = complaint(file, {"candidate.image": "x"})
    assert error == "plan.yaml:3: candidate: give either image or command"
