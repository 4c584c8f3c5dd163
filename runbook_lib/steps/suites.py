"""Run the plan's suites and say which of their tests really reached the candidate."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pandas as pd

from runbook_lib.catalogue import suite_metric
from runbook_lib.evidence import DeployEvidence, Measurement, SuiteResult, SuitesEvidence, TestResult, Window
from runbook_lib.plan import Plan, Suite
from runbook_lib.ports import CommandResult, LogQuery, Ports
from runbook_lib.redact import redact
from runbook_lib.steps.junit import read_junit
from runbook_lib.steps.measuring import measurement

_EVIDENCE = ("evidence/suites.json",)
_OUTPUT_CHARS = 20_000
_DETAIL_CHARS = 2_000
_PYTEST_NODE = re.compile(r"\.py::")


def run_suites(
    plan: Plan, deployed: DeployEvidence, ports: Ports, run_id: str, secrets: Sequence[str] = ()
) -> SuitesEvidence:
    """Run every suite, one after the other, then ask the candidate's request log which ones reached it.

    Args:
        secrets: What must not be in the evidence, whatever a suite prints or reports.

    Raises:
        CommandFailed: If a suite's command cannot be started.
        CloudError: If the request log cannot be read.
    """
    start = ports.clock.now()
    if not deployed.candidate_url:
        return _nothing_to_test(plan, Window(start=start, end=start))
    templates = _templates(deployed, run_id)
    ran = tuple(_run(name, suite, templates, ports, secrets) for name, suite in plan.suites.items())
    requests = _requests(plan, deployed, Window(start=start, end=ports.clock.now()), ports)
    suites = tuple(_believed(plan.suites[result.id], result, requests) for result in ran)
    return SuitesEvidence(
        window=Window(start=start, end=ports.clock.now()),
        measurements=tuple(_failures(result) for result in suites),
        suites=suites,
    )


def as_argv(suite: Suite) -> tuple[str, ...]:
    """Return the suite's command line; `python FILE.py::TEST`, which Python cannot run, becomes pytest."""
    if suite.pytest:
        return ("python", "-m", "pytest", *suite.pytest)
    program, *rest = suite.command
    if program in ("python", "python3") and rest and _PYTEST_NODE.search(rest[0]):
        return (program, "-m", "pytest", *rest)
    return suite.command


def _nothing_to_test(plan: Plan, window: Window) -> SuitesEvidence:
    note = "not run: the candidate never became ready"
    return SuitesEvidence(
        window=window,
        measurements=tuple(
            measurement(suite_metric(name), "candidate", window, None, 0, missing=1, note=note)
            for name in plan.suites
        ),
        notes=(note,),
    )


def _templates(deployed: DeployEvidence, run_id: str) -> dict[str, str]:
    return {
        "candidate_url": deployed.candidate_url,
        "candidate_ws_url": re.sub("^http", "ws", deployed.candidate_url),
        "baseline_url": deployed.baseline_url,
        "run_id": run_id,
    }


def _run(
    name: str, suite: Suite, templates: Mapping[str, str], ports: Ports, secrets: Sequence[str]
) -> SuiteResult:
    with tempfile.TemporaryDirectory(prefix="runbook-suite-") as folder:
        junit = Path(folder) / "junit.xml"
        filled = {**templates, "junit": str(junit)}
        argv = tuple(part.format_map(filled) for part in as_argv(suite))
        env = {key: text.format_map(filled) for key, text in suite.env.items()}
        env["PYTEST_ADDOPTS"] = f"{env.get('PYTEST_ADDOPTS', '')} --junit-xml={shlex.quote(str(junit))}"
        result = ports.commands.run(argv, cwd=Path(suite.cwd), env=env, timeout_s=suite.timeout_s)
        return SuiteResult(
            id=name,
            title=suite.title or name,
            argv=tuple(redact(part, secrets) for part in argv),
            window=result.window,
            exit_code=result.exit_code,
            timed_out=result.exit_code is None,
            tests=_tests(suite, result, read_junit(junit, secrets)),
            output=result.output[-_OUTPUT_CHARS:],
        )


def _tests(
    suite: Suite, result: CommandResult, reported: tuple[TestResult, ...] | None
) -> tuple[TestResult, ...]:
    """Return the reported tests, and one more where the command's end tells of a failure that they do not."""
    tests = reported or ()
    detail = result.output[-_DETAIL_CHARS:]
    if result.exit_code is None:
        text = f"ended at its time limit of {suite.timeout_s:g} s\n{detail}"
        return (*tests, TestResult(name="time limit", status="error", duration_s=None, detail=text))
    told = any(test.status in ("failed", "error") for test in tests)
    if result.exit_code and not told:
        name = f"exit code {result.exit_code}"
        return (*tests, TestResult(name=name, status="failed", duration_s=None, detail=detail))
    if reported is None:
        return (TestResult(name="exit code 0", status="passed", duration_s=result.window.seconds),)
    return tests


def _requests(plan: Plan, deployed: DeployEvidence, window: Window, ports: Ports) -> pd.DataFrame:
    """Return the candidate's requests in the window, once its log is complete."""
    ports.clock.sleep(plan.logs.settle_s)
    query = LogQuery(
        revision=deployed.candidate.name if deployed.candidate else "",
        start=window.start,
        end=window.end + timedelta(seconds=1),
        extra_filter="httpRequest.status>=100",
        limit=plan.logs.max_entries,
    )
    return ports.logs.read(query)


def _believed(suite: Suite, result: SuiteResult, requests: pd.DataFrame) -> SuiteResult:
    """Return the result with its requests counted, and with passes turned hollow where there were none."""
    during = requests["time"].between(result.window.start, result.window.end)
    reached = int(during.sum())
    tests = result.tests
    if suite.must_reach_candidate and not reached:
        tests = tuple(_hollow(test) if test.status == "passed" else test for test in tests)
    return result.model_copy(update={"requests": reached, "tests": tests})


def _hollow(test: TestResult) -> TestResult:
    detail = "passed, but the candidate's request log shows no request in the suite's time"
    return test.model_copy(update={"status": "hollow", "detail": detail})


def _failures(result: SuiteResult) -> Measurement:
    failed = [test for test in result.tests if test.status in ("failed", "error")]
    ran = len(failed) + sum(test.status == "passed" for test in result.tests)
    unproven = [test for test in result.tests if test.status in ("skipped", "hollow")]
    worst = next(iter([*failed, *unproven]), None)
    note = f"{worst.name} {worst.status}" if worst else ""
    return measurement(
        suite_metric(result.id),
        "candidate",
        result.window,
        float(len(failed)),
        ran,
        missing=len(unproven) + (not result.tests),
        note=note or ("" if ran else "no test was collected"),
        evidence=_EVIDENCE,
    )
