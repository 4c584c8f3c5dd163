"""Make finished runs in memory, with chance in everything that chance has a part in."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import fsspec
import numpy as np
import pandas as pd
from numpy.random import Generator, default_rng
from ruamel.yaml import YAML

from runbook_lib.archive.places import Place, place
from runbook_lib.catalogue import describe
from runbook_lib.compare import PastRun, past_run
from runbook_lib.evidence import DeployEvidence, Measurement, RevisionState, Role, StepEvidence, Window
from runbook_lib.evidence.logs import LogsEvidence, LogTemplate
from runbook_lib.evidence.suites import SuiteResult, SuitesEvidence, TestResult
from runbook_lib.verdict import CriterionResult, Outcome, Verdict

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
WINDOW = Window(start=NOW, end=NOW + timedelta(seconds=30))
PLAN: dict[str, Any] = {
    "issue": {"title": "A plan", "number": 891},
    "target": {"service": "chat", "baseline_image": "chat:1"},
    "candidate": {"image": "chat:2"},
    "probes": {"rounds": 2, "agents": ["triage", "data"]},
    "criteria": [
        {"id": "isolation", "metric": "isolation.leaks", "at_most": 0.0},
        {"id": "answer-latency", "metric": "pairs.answer_s", "at_most": None},
    ],
    "judging": {"alpha": 0.01},
}
TESTS = {"test_login": "passed", "test_chat": "passed", "test_events": "passed"}
LINES: dict[str, tuple[float, float]] = {
    "chat received <*>": (200, 200), "listening": (1, 1), "lock not acquired": (0, 14),
    "a slow client": (0.7, 0.7), "retry <*> of <*>": (2, 2),
}  # fmt: skip
"""Kind of line, and how many are to be expected on the candidate and on the baseline."""


def outputs() -> Place:
    """Return a new folder in memory."""
    return place(f"memory://{secrets.token_hex(6)}")


def write(run: Place, name: str, content: str | bytes) -> None:
    """Write a file of a run."""
    raw = content.encode() if isinstance(content, str) else content
    fsspec.filesystem("memory").pipe_file(f"{run.path}/{name}", raw)


def made_run(
    seed: int,
    where: Place | None = None,
    *,
    name: str = "",
    plan: dict[str, Any] | None = None,
    versions: dict[str, str] | None = None,
    image: str = "chat:2",
    outcome: Outcome = Outcome.PASS,
    tests: dict[str, str] | None = None,
    lines: dict[str, tuple[float, float]] | None = None,
    slower: float = 1.0,
    bad: float = 0.0,
    started: datetime = NOW,
) -> PastRun:
    """Return a run; everything that is not given is the same in all runs, or drawn by `seed`.

    Args:
        slower: How many times longer the candidate takes for an answer.
        bad: Share of the candidate's sessions that fail.
    """
    dice = default_rng(seed)
    run = (where or outputs()) / (name or f"20261126-{seed:06}-chat")
    text = BytesIO()
    yaml = YAML(typ="safe")
    yaml.sort_base_mapping_type_on_output = False
    yaml.dump(plan or PLAN, text)
    write(run, "plan.yaml", text.getvalue())
    write(
        run,
        "verdict.json",
        _verdict(dice, run.name, outcome, versions, started).model_dump_json(by_alias=True),
    )
    records: dict[str, StepEvidence] = {
        "deploy": _deploy(image), "suites": _suites({**TESTS, **(tests or {})}),
        "probes": StepEvidence(window=WINDOW, measurements=tuple(_measured(dice, bad))),
        "run_logs": _logs(dice, {**LINES, **(lines or {})}),
    }  # fmt: skip
    for step, record in records.items():
        write(run, f"evidence/{step}.json", record.model_dump_json())
    table = BytesIO()
    _load(dice, slower, bad).to_parquet(table, index=False)
    write(run, "evidence/load_sessions.parquet", table.getvalue())
    return past_run(run)


def _deploy(image: str) -> DeployEvidence:
    fact: dict[str, Any] = {"created": NOW, "ready": True, "memory_limit_mib": 512.0}
    marks = secrets.token_hex(2), secrets.token_hex(2)
    return DeployEvidence(
        window=WINDOW, service_url="http://chat",
        candidate=RevisionState(name=f"chat-2-{marks[0]}", image=image, **fact),
        baseline=RevisionState(name=f"chat-1-{marks[1]}", image="chat:1", **fact),
    )  # fmt: skip


def _suites(tests: dict[str, str]) -> SuitesEvidence:
    results = tuple(
        TestResult.model_validate({"name": name, "status": status, "duration_s": 1.0})
        for name, status in tests.items()
    )
    failed = any(result.failed for result in results)
    suite = SuiteResult(
        id="golden-path",
        title="Golden path",
        argv=("pytest",),
        window=WINDOW,
        exit_code=int(failed),
        tests=results,
    )
    return SuitesEvidence(window=WINDOW, suites=(suite,))


def _measured(dice: Generator, bad: float) -> Iterable[Measurement]:
    rows: tuple[tuple[str, Role, float, int], ...] = (
        ("load.failures", "candidate", float(dice.binomial(200, bad)), 200),
        ("load.failures", "baseline", float(dice.binomial(200, dice.uniform(0.05, 0.4))), 200),
        ("isolation.leaks", "candidate", float(dice.binomial(24, 0.02)), 24),
        ("requests.error_ratio", "candidate", float(dice.binomial(900, 0.01)) / 900, 900),
        ("load.answer_max_s", "candidate", float(dice.uniform(0.2, 2)), 200),
        ("deploy.duration_s", "candidate", float(dice.uniform(1, 9)), 1),
    )  # fmt: skip
    for metric, role, value, samples in rows:
        yield Measurement(
            metric=metric, role=role, unit=describe(metric).unit, value=value, samples=samples, window=WINDOW
        )


def _logs(dice: Generator, lines: dict[str, tuple[float, float]]) -> LogsEvidence:
    counted = {
        text: (int(dice.poisson(mine)), int(dice.poisson(base))) for text, (mine, base) in lines.items()
    }
    counted["listening"] = (1, 1)
    templates = tuple(
        LogTemplate(
            template=text, example=text, change="same", severity="INFO", candidate=mine, baseline=base,
            first=NOW,
        )
        for text, (mine, base) in counted.items()
        if mine or base
    )  # fmt: skip
    return LogsEvidence(window=WINDOW, counts={}, templates=templates, complete_until=NOW)


def _load(dice: Generator, slower: float, bad: float) -> pd.DataFrame:
    """Both revisions take turns on a machine that has its moods: in each run another, and it wanders."""
    mood = dice.uniform(0.7, 2) * np.exp(np.cumsum(dice.normal(0, 0.02, 200)))
    tables = []
    for role, factor, failing in (("candidate", slower, bad), ("baseline", 1.0, 0.03)):
        answers = 0.2 * mood * factor * np.exp(dice.normal(0, 0.25, 200))
        answers[dice.random(200) < failing] = np.nan
        connects = 0.02 * mood * np.exp(dice.normal(0, 0.4, 200))
        tables.append(pd.DataFrame({"role": role, "connect_s": connects, "answer_s": answers}))
    return pd.concat(tables, ignore_index=True)


def _verdict(
    dice: Generator, run_id: str, outcome: Outcome, versions: dict[str, str] | None, started: datetime
) -> Verdict:
    middle = float(dice.normal(1, 0.03))
    unsettled = middle >= 1.03
    answer = CriterionResult(
        id="answer-latency", title="Answers", group="load", metric="pairs.answer_s", critical=True, unit="s",
        outcome=Outcome.INCONCLUSIVE if unsettled else Outcome.PASS, observed=0.2 * middle, baseline=0.2,
        effect=middle, effect_unit="times", interval=(middle - 0.12, middle + 0.12), alpha=0.01, samples=200,
        bound="", reason=f"{middle:.3f} times",
    )  # fmt: skip
    isolation = CriterionResult(
        id="isolation", title="Isolation", group="users", metric="isolation.leaks", critical=True,
        bound="≤ 0", outcome=outcome, observed=0, baseline=0, unit="sessions", effect=None, samples=24,
        reason="as it is",
    )  # fmt: skip
    worst = max(outcome, answer.outcome)
    action = {Outcome.PASS: "PROCEED_TO_PRODUCTION", Outcome.FAIL: "ROLLBACK"}.get(worst, "INVESTIGATE")
    return Verdict.model_validate({
        "run_id": run_id, "plan": "A plan", "service": "chat", "candidate": "chat-2", "baseline": "chat-1",
        "action": action, "confidence": "HIGH", "deciding": "isolation", "summary": "as it is",
        "next_command": "runbook status", "criteria": (isolation, answer),
        "started": started, "ended": started + timedelta(seconds=60),
        "versions": versions or {"python": "3.11.7", "papermill": "2.7.0"},
    })  # fmt: skip
