"""Whatever a plan file holds, it is a plan or a PlanError; and every plan survives being written and read."""

from __future__ import annotations

import string
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from small_plan import PLAN

from runbook_lib.errors import PlanError
from runbook_lib.plan import Plan
from runbook_lib.plan.file import dump_plan, load_plan

CALM = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = [
    "id",
    "title",
    "metric",
    "cwd",
    "command",
    "pytest",
    "env",
    "image",
    "endpoints",
    "extends",
    "baseline",
]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), st.text(max_size=8),
    st.sampled_from(["emulator", "ready", "deploy.ready", "plan.yaml", "{", "a\0b"]),
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(NAMES), st.integers(), st.none()), inner, max_size=3),
    ),
    max_leaves=8,
)
# Everything that YAML 1.1 or 1.2 may take for something else than text.
TRAPS = [
    "1.10", "1234e56", "no", "0012", "0o17", "1_000", "12:30:45", "~", "<<", "=", "", " a ",
    "2026-01-01", "- a", "a: b", "#", "&a", "*a", "!a", "%", "|", ">", "'", '"', "\n", "a\n b\n", "\t",
    "\xe9", "\x85", "\u2028", "\ufeff", "\U0001f600", "on", "null", "True", ".nan", "-.inf", "0x1F",
    "? a", "---", "...", "{a}", "[a]", "\x07",
]  # fmt: skip
TEXTS = st.one_of(st.sampled_from(TRAPS), st.text(max_size=12))


def loaded(text: str, base: str = PLAN) -> Plan:
    """Load the plan that `text` is; a plan `base.yaml` stands beside it."""
    with TemporaryDirectory() as folder:
        Path(folder, "base.yaml").write_text(base, encoding="utf-8")
        file = Path(folder, "plan.yaml")
        file.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        return load_plan(file)


def plan_or_error(text: str, base: str = PLAN) -> Plan | PlanError:
    """Return what loading gives or says; everything else that it raises fails the test."""
    try:
        return loaded(text, base)
    except PlanError as error:
        return error


def as_yaml(data: Any) -> str:
    stream = StringIO()
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.dump(data, stream)
    return stream.getvalue()


@CALM
@given(st.dictionaries(st.sampled_from([*Plan.model_fields, "extends"]), ANYTHING, max_size=4), st.booleans())
@example({"criteria": [{"id": "ready", "metric": "x"}]}, True)
@example({"criteria": [1], "suites": {"a": 3}, "candidate": {"cwd": "a\0b"}}, True)
def test_data_of_any_shape_is_a_plan_or_a_plan_error(data: dict[str, Any], extending: bool) -> None:
    if extending:
        data = {"extends": "base.yaml", **data}
    assert plan_or_error(as_yaml(data))


@CALM
@given(ANYTHING, st.sampled_from(list(Plan.model_fields)), ANYTHING)
@example([1], "criteria", [{"id": "ready"}])
@example({"a": 3}, "suites", {"a": {"cwd": "b"}})
@example([{"id": ["x"]}], "criteria", [{"id": ["x"]}])
def test_one_shape_laid_over_another_is_a_plan_or_a_plan_error(below: Any, section: str, above: Any) -> None:
    found = plan_or_error(as_yaml({"extends": "base.yaml", section: above}), as_yaml({section: below}))
    assert isinstance(found, PlanError)  # for one section alone is no plan


@CALM
@given(st.text(st.sampled_from(string.printable + "éü\x07\x85\ufeff\u2028"), max_size=40))
@example("issue: !!int x\n")
@example("issue: !!timestamp x\n")
@example("issue: !!binary x\n")
@example("issue: 0o9\n")
@example("? [a, {b: c}]\n: 1\n")
@example("%YAML 9.9\n---\nissue: {}\n")
@example("issue: &a\n- *a\n")
@example("*a\n")
@example("issue: |9\n a\n")
@example("issue: -:_\n")
def test_text_of_any_kind_is_a_plan_error(text: str) -> None:
    with pytest.raises(PlanError):
        loaded(text)


@CALM
@given(st.binary(max_size=40))
def test_bytes_of_any_kind_are_a_plan_error(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "plan.yaml")
        file.write_bytes(content)
        with pytest.raises(PlanError):
            load_plan(file)


@CALM
@given(
    title=TEXTS,
    env=st.dictionaries(st.sampled_from(["A", "no", "_1"]), TEXTS, max_size=2),
    headers=st.dictionaries(TEXTS, TEXTS, max_size=2),
    message=st.dictionaries(TEXTS, st.one_of(TEXTS, st.booleans(), st.integers(), st.none()), max_size=2),
    bound=st.floats(allow_nan=False, allow_infinity=False),
    image=TEXTS.filter(bool),
)
def test_every_plan_survives_being_written_and_read(
    title: str,
    env: dict[str, str],
    headers: dict[str, str],
    message: dict[str, Any],
    bound: float,
    image: str,
) -> None:
    plan = loaded(PLAN)
    criterion = plan.criteria[0].model_copy(update={"title": title, "at_most": bound})
    protocol = plan.probes.protocol.model_copy(update={"headers": headers, "message": message})
    given_plan = plan.model_copy(update={
        "issue": plan.issue.model_copy(update={"title": title, "fixes": (title, image)}),
        "candidate": plan.candidate.model_copy(update={"image": image, "env": env}),
        "probes": plan.probes.model_copy(update={"protocol": protocol}),
        "criteria": (criterion,),
    })  # fmt: skip
    with TemporaryDirectory() as folder:
        file = Path(folder, "plan.yaml")
        file.write_bytes(dump_plan(given_plan, file.parent).encode())
        assert load_plan(file) == given_plan
