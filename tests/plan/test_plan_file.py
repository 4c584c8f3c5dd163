"""Plans are read strictly: every mistake is named with its file, its line, its field and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_plan import PLAN, WritePlan, complaint

from runbook_lib.plan.file import dump_plan, load_plan

PLANS = sorted((Path(__file__).parents[2] / "notebooks" / "plans").glob("*.yaml"))
SECTIONS = (
    "issue, target, candidate, rollout, logs, suites, probes, metrics, criteria, judging, "
    "regressions, selftest, report"
)
CRITERION = (
    "id, title, group, metric, at_most, at_least, baseline, history, paired, critical, min_samples, "
    "failure_limit, must_have_data"
)
BOUNDS = "give at_most, at_least or baseline, or else paired"
SUITE = (
    "title, pytest, command, cwd, env, timeout_s, junit, retries, on_baseline, parallel, "
    "must_reach_candidate, reach_per, user_agent, token_env"
)
TEMPLATES = (
    "{candidate_url} {candidate_ws_url} {baseline_url} {run_id} {suite} {token_env} {junit}: "
    "double every other brace"
)
TEXT = "must be text (a number or a date needs quotes)"


def test_the_smallest_plan_has_every_default(plan_file: WritePlan) -> None:
    plan = load_plan(plan_file())
    assert (plan.candidate.image, plan.rollout.strategy, plan.criteria[0].at_least) == ("chat:2", "tag", 1)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("metric: pairs.leaks, paired: {tolerance: 0.01, margin: 0.1}",
         "paired.tolerance of pairs.leaks is 0: one session is a FAIL"),
        ("metric: pairs.leaks, paired: {tolerance: 0, margin: 0.1, above_s: 2}",
         "paired.above_s is for latencies"),
        ("metric: deploy.duration_s, at_most: 9, history: {at_most_ratio: 2}",
         "history is for startup.latency_s, not for deploy.duration_s"),
    ],
)  # fmt: skip
def test_a_criterion_is_asked_only_what_its_metric_can_answer(
    plan_file: WritePlan, asked: str, expected: str
) -> None:
    text = PLAN.partition("criteria:")[0] + f"criteria:\n  - {{id: one, title: One, {asked}}}\n"
    assert complaint(plan_file(text)).endswith(f"criteria.0: {expected}")


@pytest.mark.parametrize("file", PLANS, ids=lambda file: file.stem)
def test_each_plan_of_the_repository_loads(file: Path) -> None:
    plan = load_plan(file)
    assert len(plan.criteria) >= 12
    assert all(Path(suite.cwd).is_absolute() for suite in plan.suites.values())


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "criteria:\n", "criterias:\n",
            f"plan.yaml:4: criterias: unknown field, did you mean criteria? (allowed: {SECTIONS})",
            id="a section that is due",
        ),
        pytest.param(
            "criteria:\n", "probe: {}\ncriteria:\n",
            f"plan.yaml:4: probe: unknown field, did you mean probes? (allowed: {SECTIONS})",
            id="a section",
        ),
        pytest.param(
            "at_least", "atleast",
            f"plan.yaml:8: criteria.0.atleast: unknown field, did you mean at_least? (allowed: {CRITERION})",
            id="a criterion's field",
        ),
        pytest.param(
            "candidate:", "suites:\n  e2e:\n    pytets: [x]\ncandidate:",
            f"plan.yaml:5: suites.e2e.pytets: unknown field, did you mean pytest? (allowed: {SUITE})",
            id="a suite's field",
        ),
        pytest.param(
            "at_least: 1", "baseline:\n      zzz: 3",
            "plan.yaml:9: criteria.0.baseline.zzz: unknown field (allowed: at_most_increase, at_most_ratio)",
            id="nothing like it",
        ),
        pytest.param(
            "service: chat", "service: chat, endpoints: {run: a, logging: b, monitoring: c, runs: d}",
            "plan.yaml:2: target.endpoints.runs: unknown field, did you mean run? "
            "(allowed: run, logging, monitoring, bigquery)",
            id="in a union",
        ),
    ],
)  # fmt: skip
def test_an_unknown_field_is_named_with_its_line_and_its_neighbours(
    plan_file: WritePlan, old: str, new: str, expected: str
) -> None:
    assert complaint(plan_file(PLAN.replace(old, new))) == expected


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("rollout:\n  strategy: canary\n",
         "plan.yaml:10: rollout.strategy: 'canary' is not one of them (allowed: tag, direct)"),
        ("rollout: {on_rollback: no}\n",
         "plan.yaml:9: rollout.on_rollback: 'no' is not one of them (allowed: automatic, ask, never)"),
        ("rollout: {steps: [50, 10]}\n", "plan.yaml:9: rollout: steps must grow and end at 100"),
        ("suites: [e2e]\n", "plan.yaml:9: suites: must be a mapping"),
        ("suites:\n  e2e:\n", "plan.yaml:10: suites.e2e: must be a mapping"),
        ("suites:\n  e2e: {pytest: tests}\n", "plan.yaml:10: suites.e2e.pytest: must be a list"),
        ("suites:\n  e2e: {}\n", "plan.yaml:10: suites.e2e: give either pytest or command"),
        ("suites:\n  e2e: {pytest: [a], cwd: [b]}\n", f"plan.yaml:10: suites.e2e.cwd: {TEXT}"),
        ("suites:\n  e2e: {pytest: [a], env: {A: 1}}\n", f"plan.yaml:10: suites.e2e.env.A: {TEXT}"),
        ("logs:\n  settle_s: soon\n",
         "plan.yaml:10: logs.settle_s: Input should be a valid number, unable to parse string as a number"),
        ("logs:\n  settle_s: .nan\n", "plan.yaml:10: logs.settle_s: Input should be a finite number"),
        ("report:\n  folder: 2026-01-01\n", f"plan.yaml:10: report.folder: {TEXT}"),
        ("probes:\n  protocol:\n    message: {at: 2026-01-01}\n",
         "plan.yaml:11: probes.protocol.message.at: input was not a valid JSON value"),
        ("regressions:\n  - title: T\n    criterion: ready\n", "plan.yaml:10: regressions.0.id: is missing"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_line(plan_file: WritePlan, added: str, expected: str) -> None:
    assert complaint(plan_file(PLAN + added)) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('candidate: {image: "chat:2"}\n', "", "plan.yaml: candidate: is missing"),
        ("{title: A plan}", "{number: 3}", "plan.yaml:1: issue.title: is missing"),
        ('"chat:2"', "1.10", f"plan.yaml:3: candidate.image: {TEXT}"),
        ('image: "chat:2"', "env: {}", "plan.yaml:3: candidate: give either image or command"),
        ("    at_least: 1\n", "", f"plan.yaml:5: criteria.0: {BOUNDS}"),
        ("at_least: 1", "paired: {tolerance: 0, margin: 1}",
         "plan.yaml:5: criteria.0: deploy.ready is judged by bounds"),
        ("at_least: 1", "at_most: .inf", "plan.yaml:8: criteria.0.at_most: Input should be a finite number"),
        ("at_least: 1", "at_most: .nan", "plan.yaml:8: criteria.0.at_most: Input should be a finite number"),
        ("at_least: 1", "baseline: {}",
         "plan.yaml:8: criteria.0.baseline: give either at_most_increase or at_most_ratio"),
        ("at_least: 1", "at_least: 1\n    critical: false",
         "plan.yaml:4: criteria: at least one criterion must be critical"),
        ("id: ready", "id: Ready",
         "plan.yaml:5: criteria.0.id: String should match pattern '^[a-z][a-z0-9-]{0,62}$'"),
        ("service: chat", "service: chat, baseline_image: x",
         "plan.yaml:2: target: baseline_image is for rehearsals: on google, deploy the baseline yourself"),
        ("service: chat", "service: chat, endpoints: gogle",
         "plan.yaml:2: target.endpoints: 'gogle' is not one of them (allowed: emulator, google)"),
        ('image: "chat:2"', "command: [a], revision_pattern: '('",
         "plan.yaml:3: candidate.revision_pattern: is no regular expression: "
         "missing ), unterminated subpattern at position 0"),
        ('image: "chat:2"', "command: [a], revision_pattern: 'id (.*)'",
         "plan.yaml:3: candidate.revision_pattern: needs a group (?P<revision>…)"),
        ('image: "chat:2"', "command: ['{projct}']",
         "plan.yaml:3: candidate: '{projct}' is no template of {project} {region} {service}: "
         "double every other brace"),
    ],
)  # fmt: skip
def test_a_broken_section_is_named_with_its_line(
    plan_file: WritePlan, old: str, new: str, expected: str
) -> None:
    assert complaint(plan_file(PLAN.replace(old, new))) == expected


@pytest.mark.parametrize("text", ["{nope}", "{", "{}", "{run_id.x}", "{run_id:d}", '{"json": 1}'])
def test_a_template_that_could_not_be_filled_in_is_refused_before_anything_runs(
    plan_file: WritePlan, text: str
) -> None:
    quoted = "'" + text + "'"
    error = complaint(plan_file(f"{PLAN}suites:\n  e2e:\n    pytest: [{quoted}]\n"))
    assert error == f"plan.yaml:10: suites.e2e: {text!r} is no template of {TEMPLATES}"


def test_a_doubled_brace_is_no_template(plan_file: WritePlan) -> None:
    file = plan_file(f"{PLAN}suites: {{e2e: {{command: [sh, '{{{{x}}}} {{junit}}']}}}}\n")
    assert load_plan(file).suites["e2e"].command == ("sh", "{{x}} {junit}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", f"plan.yaml: must be a mapping of sections (allowed: {SECTIONS})"),
        ("# nothing\n", f"plan.yaml: must be a mapping of sections (allowed: {SECTIONS})"),
        ("- issue\n- target\n", f"plan.yaml: must be a mapping of sections (allowed: {SECTIONS})"),
        ("just words", f"plan.yaml: must be a mapping of sections (allowed: {SECTIONS})"),
        ("issue: [1,\n2", "plan.yaml:2: is not YAML: expected ',' or ']', but got '<stream end>'"),
        ("issue:\n\t- a\n", "plan.yaml:2: is not YAML: found character '\\t' that cannot start any token"),
        ("issue: {}\n---\ntarget: {}\n", "plan.yaml:2: is not YAML: but found another document"),
        ("issue: 'a\x07'", "plan.yaml: is not YAML: unacceptable character #x0007: "
         "special characters are not allowed"),
        ("issue: 2026-13-01\n", "plan.yaml: is not YAML: month must be in 1..12"),
        ("issue: 1\ntarget: 2\nissue: 3\n",
         'plan.yaml:3: is not YAML: found duplicate key "issue" with value "3" (original value: "1")'),
        ("issue: " + "[" * 400 + "]" * 400,
         "plan.yaml: is nested too deeply, or an alias in it holds itself"),
    ],
    ids=lambda text: ascii(text[:24]),
)  # fmt: skip
def test_what_is_no_mapping_or_no_yaml_is_a_plan_error(
    plan_file: WritePlan, text: str, expected: str
) -> None:
    assert complaint(plan_file(text)) == expected


def test_a_duplicate_key_deep_inside_is_an_error_rather_than_the_last_one_winning(
    plan_file: WritePlan,
) -> None:
    error = complaint(plan_file(PLAN.replace("at_least: 1", "at_least: 1\n    at_least: 2")))
    assert (
        error
        == 'plan.yaml:9: is not YAML: found duplicate key "at_least" with value "2" (original value: "1")'
    )


def test_a_file_that_is_not_utf_8_is_said_to_be_so(plan_file: WritePlan) -> None:
    file = plan_file()
    file.write_bytes(PLAN.replace("A plan", "Prüfung").encode("latin-1"))
    assert complaint(file) == "plan.yaml: is not UTF-8 text"


@pytest.mark.parametrize("prefix", ["\ufeff", "%YAML 1.2\n---\n"])
def test_a_byte_order_mark_or_a_directive_is_no_mistake(plan_file: WritePlan, prefix: str) -> None:
    assert load_plan(plan_file(prefix + PLAN)).issue.title == "A plan"


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    assert complaint(tmp_path / "none.yaml") == "none.yaml: cannot be read: No such file or directory"
    (tmp_path / "folder").mkdir()
    assert complaint(tmp_path / "folder") == "folder: cannot be read: Is a directory"


def test_noise_that_is_no_regular_expression_is_refused(plan_file: WritePlan) -> None:
    said = complaint(plan_file(PLAN + "logs: {known_noise: ['fine', '(']}\n"))
    assert said.startswith("plan.yaml:9: logs.known_noise.1: ")
    assert "is no regular expression: missing ), unterminated subpattern at position 0" in said


def test_a_field_that_comes_by_a_merge_key_is_named_with_the_line_of_its_section(
    plan_file: WritePlan,
) -> None:
    text = PLAN.replace("candidate: {", "candidate: &c {") + "logs:\n  <<: *c\n"
    allowed = "filter, settle_s, lookback_days, max_entries, analytics, known_noise, clock_skew_s"
    assert complaint(plan_file(text)) == f"plan.yaml:9: logs.image: unknown field (allowed: {allowed})"


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("  - {id: x, title: X, metric: deploy.redy, at_most: 0}\n",
         "plan.yaml:9: criteria.1.metric: no metric 'deploy.redy' (allowed: deploy.ready, "),
        ("  - {id: x, title: X, metric: suite.e2e.failures, at_most: 0}\n",
         "plan.yaml:9: criteria.1.metric: no metric 'suite.e2e.failures' (allowed: deploy.ready, "),
        ("  - {id: ready, title: X, metric: deploy.ready, at_most: 0}\n",
         "plan.yaml:9: criteria.1.id: a second 'ready'"),
        ("regressions:\n  - {id: x, title: X, criterion: redy}\n",
         "plan.yaml:10: regressions.0.criterion: no criterion 'redy' (allowed: ready)"),
        ("regressions:\n  - {id: x, title: X, criterion: ready}\n  - {id: x, title: Y, criterion: ready}\n",
         "plan.yaml:11: regressions.1.id: a second 'x'"),
    ],
)  # fmt: skip
def test_a_reference_to_nothing_and_a_second_id_are_errors(
    plan_file: WritePlan, added: str, expected: str
) -> None:
    error = complaint(plan_file(PLAN + added))
    assert error.startswith(expected) if expected.endswith(", ") else error == expected


def test_the_metrics_of_the_plans_own_suites_are_allowed_and_listed(plan_file: WritePlan) -> None:
    suites = "suites: {e2e: {pytest: [tests]}}\n"
    criterion = "  - {id: x, title: X, metric: suite.%s.failures, at_most: 0}\n"
    assert load_plan(plan_file(PLAN + criterion % "e2e" + suites)).criteria[1].id == "x"
    assert complaint(plan_file(PLAN + criterion % "unit" + suites)).endswith(", suite.e2e.failures)")


@pytest.mark.parametrize("file", PLANS, ids=lambda file: file.stem)
def test_each_plan_of_the_repository_survives_being_written_and_read_elsewhere(
    file: Path, tmp_path: Path
) -> None:
    plan = load_plan(file)
    copy = tmp_path / "elsewhere" / "plan.yaml"
    copy.parent.mkdir()
    copy.write_text(dump_plan(plan, copy.parent), encoding="utf-8")
    assert load_plan(copy) == plan


def test_a_plan_is_read_back_from_a_folder_behind_a_link(plan_file: WritePlan, tmp_path: Path) -> None:
    plan = load_plan(plan_file(PLAN + "suites: {e2e: {pytest: [tests], cwd: sub}}\n"))
    (tmp_path / "disk" / "deep" / "down").mkdir(parents=True)
    (tmp_path / "outputs").symlink_to(tmp_path / "disk" / "deep" / "down")
    copy = tmp_path / "outputs" / "plan.yaml"
    copy.write_text(dump_plan(plan, copy.parent), encoding="utf-8")
    assert load_plan(copy) == plan
    assert str(tmp_path) not in copy.read_text(encoding="utf-8")


def test_a_service_whose_tags_cloud_run_would_refuse_is_refused_before_anything_is_deployed(
    plan_file: WritePlan,
) -> None:
    long = "service-with-a-name-of-38-characters-x"
    assert complaint(plan_file(PLAN.replace("service: chat", f"service: {long}"))) == (
        f"plan.yaml: the tag 'candidate' and the service '{long}' together have more than 46 characters, "
        "which Cloud Run refuses: choose a shorter rollout tag"
    )
