"""Build the run records that the report's tests render: good, failing, empty, hostile."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from hostile import HOSTILE

from runbook_lib.catalogue import describe
from runbook_lib.evidence import (
    DeployEvidence,
    EventSeen,
    HealthPoll,
    Leak,
    Measurement,
    MetricsEvidence,
    ProbesEvidence,
    RevisionState,
    Role,
    RollbackEvidence,
    Session,
    TrafficShare,
    Window,
)
from runbook_lib.evidence.logs import LogFinding, LogsEvidence, LogTemplate, RequestStatistics
from runbook_lib.evidence.session_table import session_table
from runbook_lib.evidence.suites import SuiteResult, SuitesEvidence, TestResult, Trouble
from runbook_lib.plan import Plan
from runbook_lib.report.record import RunRecord
from runbook_lib.verdict import CriterionResult, Outcome, RegressionResult, Verdict

START = datetime(2025, 9, 16, 14, 2, 11, tzinfo=UTC)
RUN_ID = "issue-891-20250916-140211"
CANDIDATE, BASELINE = "backend-service-00042-kem", "backend-service-00041-xul"
EVENTS = ("agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed")
VERSIONS = {"runbook_lib": "0.1.0", "python": "3.11.7", "google-cloud-run": "0.16.2"}

# id, title, group, metric, bound, value on the candidate, value on the baseline, samples, evidence
CRITERIA: tuple[tuple[str, str, str, str, str, float, float | None, int, str], ...] = (
    ("revision-deployed", "New revision deployed successfully to staging", "deployment", "deploy.ready",
     "≥ 1", 1, None, 1, "deploy.json"),
    ("startup-logs", "No CRITICAL/ERROR logs during startup", "deployment", "logs.startup_errors", "≤ 0",
     0, 2, 118, "logs.parquet"),
    ("health", "Service health endpoint responds correctly", "deployment", "health.failing_polls", "≤ 0",
     0, 0, 10, "probes.json"),
    ("error-rate", "No increase in error rates vs previous revision", "deployment", "requests.error_ratio",
     "≤ 0.05 and ≤ baseline + 0.01", 0.004, 0.0125, 512, "series.parquet"),
    ("golden-path", "Golden Path: user login → WebSocket → agent response works", "functionality",
     "golden_path.failures", "≤ 0", 0, 1, 5, "probes_sessions.parquet"),
    ("session-management", "Session Management: no session conflicts between users", "functionality",
     "session.conflicts", "≤ 0", 0, 5, 8, "probes_sessions.parquet"),
    ("factory-patterns", "Factory Patterns: agent initialization works consistently", "functionality",
     "factory.failures", "≤ 0", 0, 4, 18, "probes_sessions.parquet"),
    ("websocket-events", "WebSocket Events: all 5 critical events emitted correctly", "functionality",
     "events.violations", "≤ 0", 0, 0, 47, "probes_sessions.parquet"),
    ("user-isolation", "User Isolation: concurrent users properly separated", "functionality",
     "isolation.leaks", "≤ 0", 0, 3, 24, "probes_sessions.parquet"),
    ("connect-time", "WebSocket connection time < 30 seconds", "performance", "load.connect_max_s", "≤ 30",
     0.0812, 31.7, 60, "load_sessions.parquet"),
    ("answer-time", "Agent response time < 60 seconds", "performance", "load.answer_max_s", "≤ 60",
     0.741, 0.802, 60, "load_sessions.parquet"),
    ("memory", "No memory leaks", "performance", "memory.growth_mib", "≤ baseline + 16",
     1.5, 2.25, 12, "series.parquet"),
    ("session-accumulation", "No session accumulation", "performance", "sessions.left_open", "≤ 0",
     0, 0, 2, "metrics.json"),
    ("startup-time", "Startup time within normal parameters", "performance", "startup.latency_s",
     "≤ 60 and ≤ baseline × 4", 1.31, 1.27, 3, "series.parquet"),
    ("golden-path-test", "Golden Path Test", "tests", "suite.golden-path.failures", "≤ 0",
     0, None, 1, "suites.json"),
    ("agent-registry-test", "Agent Registry Test", "tests", "suite.agent-registry.failures", "≤ 0",
     0, None, 1, "suites.json"),
)  # fmt: skip


def window(seconds: float = 30.0, after_s: float = 0.0) -> Window:
    """Return a window that starts `after_s` into the run."""
    start = START + timedelta(seconds=after_s)
    return Window(start=start, end=start + timedelta(seconds=seconds))


def plan(**changes: Any) -> Plan:
    """Return the plan of the seed; `changes` replace whole sections."""
    sections: dict[str, Any] = {
        "issue": {
            "number": 891,
            "title": "BaseAgent session management and factory pattern failures",
            "business_impact": "P1 failures on the Golden Path put $500K+ ARR at risk.",
            "risk": "LOW",
            "fixes": ["efcd5cfeb BaseAgent session manager SSOT patterns migration"],
            "next_steps": {
                "proceed": ["Plan the production deployment"],
                "investigate": ["Capture detailed logs"],
                "rollback": ["Confirm that the previous revision serves all traffic"],
            },
        },
        "target": {"project": "netra-staging", "region": "us-central1", "service": "backend-service"},
        "candidate": {"image": "sample-agent:healthy"},
        "suites": {
            "golden-path": {"title": "Golden Path Test", "pytest": ["tests/e2e/test_golden_path.py"]},
            "agent-registry": {"title": "Agent Registry Test", "pytest": ["tests/e2e/test_registry.py"]},
        },
        "criteria": [_plan_criterion(*row[:5]) for row in CRITERIA],
        "regressions": [
            {"id": "isolation", "title": "User isolation violations", "criterion": "user-isolation"},
            {"id": "timeouts", "title": "WebSocket connection timeouts", "criterion": "connect-time"},
        ],
    }
    return Plan.model_validate({**sections, **changes})


def _plan_criterion(name: str, title: str, group: str, metric: str, bound: str) -> dict[str, Any]:
    limit: dict[str, Any] = {"at_least": 1} if bound.startswith("≥") else {}
    if bound.startswith("≤ ") and bound[2].isdigit():
        limit = {"at_most": float(bound.split()[1])}
    return {"id": name, "title": title, "group": group, "metric": metric, **(limit or {"at_most": 16})}


def measurement(metric: str, role: Role, value: float | None, samples: int, **more: Any) -> Measurement:
    """Return one measurement in the unit of its metric."""
    fixed = {"unit": describe(metric).unit, "window": window()}
    return Measurement(metric=metric, role=role, value=value, samples=samples, **fixed, **more)


def _measured(step: str, changes: dict[str, float]) -> tuple[Measurement, ...]:
    found = []
    for _, _, _, metric, _, candidate, baseline, samples, file in CRITERIA:
        if describe(metric).step == step:
            evidence = (f"evidence/{file}",)
            value = changes.get(metric, candidate)
            found.append(measurement(metric, "candidate", value, samples, evidence=evidence))
            if baseline is not None:
                found.append(measurement(metric, "baseline", baseline, samples, evidence=evidence))
    return tuple(found)


def verdict(outcomes: dict[str, tuple[Outcome, float | None, str]] | None = None, **changes: Any) -> Verdict:
    """Return a verdict in which every criterion passed but those in `outcomes`."""
    results = []
    for name, title, group, metric, bound, candidate, baseline, samples, file in CRITERIA:
        good = (Outcome.PASS, candidate, f"{candidate:g} over {samples} samples, within the bound")
        outcome, observed, reason = (outcomes or {}).get(name, good)
        results.append(CriterionResult(
            id=name, title=title, group=group, outcome=outcome, critical=name != "startup-time",
            metric=metric, observed=observed, unit=describe(metric).unit, bound=bound, baseline=baseline,
            effect=None,
            samples=0 if observed is None else samples, reason=reason, cell=describe(metric).cell,
            evidence=(f"evidence/{file}",),
        ))  # fmt: skip
    fields: dict[str, Any] = {
        "run_id": RUN_ID, "plan": "notebooks/plans/issue-891.yaml", "service": "backend-service",
        "candidate": CANDIDATE, "baseline": BASELINE, "action": "PROCEED_TO_PRODUCTION", "confidence": "HIGH",
        "deciding": "user-isolation",
        "summary": "User Isolation: concurrent users properly separated: PASS, no foreign mark seen",
        "next_command": f"runbook promote outputs/{RUN_ID}", "criteria": tuple(results),
        "regressions": (
            RegressionResult(
                id="isolation", title="User isolation violations", criterion="user-isolation",
                before=Outcome.FAIL, after=Outcome.PASS, reading="failed before, passes now: fixed"),
            RegressionResult(
                id="timeouts", title="WebSocket connection timeouts", criterion="connect-time",
                before=Outcome.FAIL, after=Outcome.PASS, reading="failed before, passes now: fixed"),
        ),
        "started": START, "ended": START + timedelta(seconds=252), "versions": VERSIONS,
    }  # fmt: skip
    return Verdict(**{**fields, **changes})


def session(number: int = 0, role: Role = "candidate", **changes: Any) -> Session:
    """Return a good session with five events."""
    events = tuple(EventSeen(type=name, at_s=0.04 + 0.17 * place**1.2, sequence=place + 1)
                   for place, name in enumerate(EVENTS))  # fmt: skip
    fields: dict[str, Any] = {
        "probe": "golden-path", "role": role, "number": number, "user": f"probe-{number}@example.test",
        "agent": "triage", "mark": f"mark-{role}-{number}", "status": "answered", "connect_s": 0.04,
        "answer_s": events[-1].at_s, "events": events, "session_id": f"s-{number}",
    }  # fmt: skip
    return Session(**{**fields, **changes})


def load_table(lost: int = 0) -> pd.DataFrame:
    """Return 60 sessions a role; the last `lost` of the candidate never connected."""
    rows = []
    for role, slow in (("candidate", 1.0), ("baseline", 1.35)):
        for number in range(60):
            wave = 1 + 0.5 * math.sin(number * 1.7) + (2.0 if number % 19 == 0 else 0)
            gone = role == "candidate" and number >= 60 - lost
            connect = None if gone else 0.022 * slow * wave
            answer = None if gone else 0.30 * slow * (1 + 0.2 * wave)
            status = "handshake_rejected" if gone else "answered"
            rows.append(session(number, role, probe="load", connect_s=connect, answer_s=answer, status=status,
                                intended_s=number / 6))  # fmt: skip
    return session_table(rows)


def series_table(leak_mib: float = 0.0) -> pd.DataFrame:
    """Return twelve memory points a role, 10 s apart; the candidate grows by `leak_mib` at each."""
    rows = []
    for role, start, slope in (("candidate", 96.0, leak_mib), ("baseline", 92.0, 0.0)):
        for place in range(12):
            value = start + slope * place + 1.5 * math.sin(place)
            time = pd.Timestamp(START) + pd.Timedelta(seconds=10 * place)
            rows.append({"time": time, "role": role, "metric": "memory", "value": value, "unit": "MiB"})
    return pd.DataFrame(rows)


def suite(name: str, statuses: tuple[str, ...] = ("passed",), **changes: Any) -> SuiteResult:
    """Return a run of a suite with one test per status."""
    tests = tuple(TestResult(name=f"test_{name}_{place}", status=status, duration_s=1.2 + place)
                  for place, status in enumerate(statuses))  # type: ignore[arg-type]  # fmt: skip
    fields: dict[str, Any] = {
        "id": name, "title": name.replace("-", " ").title() + " Test", "argv": ("python", "-m", "pytest"),
        "window": window(12.4), "exit_code": 0, "requests": 9, "tests": tests, "output": "1 passed in 1.20s",
    }  # fmt: skip
    return SuiteResult(**{**fields, **changes})


def log_entries(*messages: str, role: Role = "candidate", severity: str = "ERROR") -> pd.DataFrame:
    """Return 40 lines of both revisions and these, as they stand in `run_logs.parquet`."""
    ordinary = [
        (name, "INFO", f"chat received {place}") for place in range(20) for name in ("candidate", "baseline")
    ]
    rows = [*ordinary, *((role, severity, message) for message in messages)]
    table = pd.DataFrame(rows, columns=["role", "severity", "message"])
    times = pd.date_range(START, periods=len(table), freq="s")
    return table.assign(time=times, log="stdout", revision=CANDIDATE, stack="")


def log_template(**changes: Any) -> LogTemplate:
    """Return a kind of message that is new in the candidate."""
    fields: dict[str, Any] = {
        "template": "no context <*>", "change": "new", "severity": "ERROR", "candidate": 3, "baseline": 0,
        "first": START, "example": "no context 7", "stack": "Traceback (most recent call last):",
    }  # fmt: skip
    return LogTemplate(**{**fields, **changes})


def run_logs(*templates: LogTemplate, **changes: Any) -> LogsEvidence:
    """Return what the whole run's logs say: two kinds of line that both revisions have, and these."""
    same = {"change": "same", "severity": "INFO", "baseline": 20, "candidate": 20, "stack": ""}
    known = [log_template(template=name, example=name, **same) for name in ("chat received <*>", "starting")]
    fields: dict[str, Any] = {
        "window": window(), "counts": {"candidate": {"INFO": 20}, "baseline": {"INFO": 20}},
        "templates": (*templates, *known), "complete_until": START + timedelta(seconds=90),
        "latest_arrival_s": 0.084, "read_requests": 4, "waited_s": 12.0,
        "requests": (
            RequestStatistics(role="candidate", requests=200, classes={"2xx": 199, "5xx": 1},
                              error_ratio=0.005, interval=(0.0009, 0.0278), latency_s={"p50": 0.005}),
            RequestStatistics(role="baseline", requests=0),
        ),
    }  # fmt: skip
    return LogsEvidence(**{**fields, **changes})


def good() -> RunRecord:
    """Return a run in which everything was seen and everything passed."""
    revision = {"created": START, "ready": True, "memory_limit_mib": 512.0}
    deploy = DeployEvidence(
        window=window(), service_url="http://backend-service.test", how="sample-agent:healthy",
        candidate=RevisionState(name=CANDIDATE, image="sample-agent:healthy", **revision),
        baseline=RevisionState(name=BASELINE, image="sample-agent:previous", **revision),
        traffic=(TrafficShare(revision=BASELINE, percent=100, tag="baseline"),
                 TrafficShare(revision=CANDIDATE, percent=0, tag="candidate")),
        measurements=(measurement("deploy.duration_s", "candidate", 2.41, 1), *_measured("deploy", {})),
        output="Revision ID: backend-service-00042-kem",
    )  # fmt: skip
    logs = LogsEvidence(
        window=window(), measurements=_measured("logs", {}), complete_until=START + timedelta(seconds=40),
        counts={"candidate": {"INFO": 112, "NOTICE": 6}, "baseline": {"INFO": 104, "WARNING": 3, "ERROR": 2}},
        findings=(LogFinding(time=START, severity="ERROR", role="baseline", message="factory: no context"),),
    )  # fmt: skip
    return RunRecord(
        plan=plan(), run_id=RUN_ID, deploy=deploy, logs=logs, verdict=verdict(), load=load_table(),
        suites=SuitesEvidence(window=window(), measurements=_measured("suites", {}),
                              suites=(suite("golden-path"), suite("agent-registry"))),
        probes=ProbesEvidence(window=window(), measurements=_measured("probes", {}), example=session()),
        metrics=MetricsEvidence(window=window(), measurements=_measured("metrics", {}),
                                sessions={"candidate": 60, "baseline": 60}),
        run_logs=run_logs(), entries=log_entries(),
        series=series_table(), parameters={"plan": "notebooks/plans/issue-891.yaml", "candidate": ""},
    )  # fmt: skip


FAILURE = {
    "detail": "AssertionError: four events", "output": "asked twice", "attempts": 2, "baseline": "passed",
    "finding": "new failure",
    "trouble": Trouble(folder="evidence/failures/agent-registry-test_c-3", traces=("trace-1",),
                       log=("14:02:20.000000 ERROR no agent",), log_left_out=7),
}  # fmt: skip


def failing() -> RunRecord:
    """Return a run that found leaks between users and rolled back."""
    leak = "2 of 24 sessions received another user's mark"
    bad = session(3, probe="isolation", foreign_marks=("mark-candidate-5",), status="protocol_violation",
                  violations=("sequence 3 after 1",), detail="closed by the service")  # fmt: skip
    base = good()
    assert base.probes is not None
    probes = base.probes.model_copy(
        update={"measurements": _measured("probes", {"isolation.leaks": 2}), "bad_sessions": (bad,)}
    )
    rollback = RollbackEvidence(
        window=window(), to=BASELINE, needed=True, verified=True, output="Rolled back",
        traffic=(TrafficShare(revision=BASELINE, percent=100),), sessions=(session(),),
        polls=(HealthPoll(role="baseline", at_s=0.1, status=200),),
    )  # fmt: skip
    outcomes = {
        "user-isolation": (Outcome.FAIL, 2.0, leak),
        "agent-registry-test": (Outcome.INCONCLUSIVE, None, "1 hollow test never reached the candidate"),
        "startup-time": (Outcome.INCONCLUSIVE, None, "no data: no point in the window"),
        "memory": (Outcome.ERROR, None, "not observed: timeSeries.list answered 503"),
    }
    judged = verdict(
        outcomes, action="ROLLBACK", confidence="MEDIUM", next_command=f"runbook status outputs/{RUN_ID}",
        summary=f"User Isolation: concurrent users properly separated: FAIL, {leak}",
        not_seen=("memory of the candidate: timeSeries.list answered 503",),
    )  # fmt: skip
    hollow = suite("agent-registry", ("passed", "hollow", "failed"), exit_code=1, output="1 failed")
    failed = hollow.tests[2].model_copy(update=FAILURE)
    hollow = hollow.model_copy(update={"tests": (*hollow.tests[:2], failed)})
    suites = SuitesEvidence(window=window(), suites=(suite("golden-path"), hollow))
    return replace(base, probes=probes, rollback=rollback, verdict=judged, suites=suites,
                   run_logs=run_logs(log_template()), entries=log_entries("no context 7", "pool is empty"),
                   load=load_table(lost=9), series=series_table(leak_mib=6))  # fmt: skip


def empty() -> RunRecord:
    """Return a run that ended when the cloud did not answer its first question."""
    error = "deploy: services.get on backend-service answered UNAVAILABLE: start the emulator"
    return RunRecord(plan=plan(), run_id=RUN_ID, errors=(error,))


MEGABYTE = "<b>" + "x" * 2**20


def hostile() -> RunRecord:
    """Return a run whose every text from outside is hostile."""
    bad = "\n".join(HOSTILE)
    base = failing()
    assert base.deploy is not None
    assert base.deploy.candidate is not None
    assert base.logs is not None
    image = base.deploy.candidate.model_copy(update={"image": bad, "message": bad})
    said = {"title": bad, "reason": bad, "group": bad, "evidence": HOSTILE, "cell": bad}
    criteria = tuple(criterion.model_copy(update=said) for criterion in base.criteria())
    regression = RegressionResult(id="isolation", title=bad, criterion="user-isolation", before=Outcome.FAIL,
                                  after=Outcome.FAIL, reading=bad)  # fmt: skip
    events = tuple(EventSeen(type=line, at_s=place / 10) for place, line in enumerate(HOSTILE, 1))
    leaks = tuple(Leak(role="candidate", probe=bad, session=number, receiver=bad, sender=bad, what=line)
                  for number, line in enumerate(HOSTILE))  # fmt: skip
    series = series_table().assign(unit=bad, metric=f"memory {bad}")
    return replace(
        base,
        run_id=bad,
        plan=plan(issue={"title": bad, "business_impact": bad, "fixes": list(HOSTILE),
                         "next_steps": {"rollback": list(HOSTILE)}}),
        deploy=base.deploy.model_copy(update={"candidate": image, "output": bad, "how": bad}),
        logs=base.logs.model_copy(update={
            "findings": (LogFinding(time=START, severity=bad, role="candidate", message=bad),),
            "counts": {"candidate": {bad: 3}}, "notes": (bad,)}),
        run_logs=run_logs(log_template(template=bad, example=bad, stack=bad), notes=HOSTILE),
        entries=log_entries(*HOSTILE, MEGABYTE).assign(log=bad),
        probes=ProbesEvidence(window=window(), notes=HOSTILE, example=session(events=events), leaks=leaks,
                              bad_sessions=(session(detail=bad, violations=HOSTILE, user=bad),)),
        suites=SuitesEvidence(window=window(), suites=(suite(
            "golden-path", output=bad, title=bad, argv=HOSTILE,
            tests=(TestResult(
                name=bad, status="failed", duration_s=None, detail=bad, output=bad, baseline=bad,
                finding="not compared", trouble=Trouble(folder=bad, log=HOSTILE, traces=HOSTILE)),
                *(TestResult(name=line, status="failed", duration_s=None, detail=line) for line in HOSTILE),
            )),)),
        verdict=base.verdict and base.verdict.model_copy(update={
            "summary": bad, "next_command": bad, "criteria": criteria, "not_seen": HOSTILE,
            "regressions": (regression,), "versions": {bad: bad}}),
        errors=HOSTILE, series=series, parameters={"x": bad, bad: "y", "api_token": "hunter2-hunter2"},
    )  # fmt: skip
