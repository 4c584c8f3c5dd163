"""Do the suites step: run and compare every suite, then ask the candidate's log which ones reached it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import timedelta
from itertools import groupby

import pandas as pd

from runbook_lib.catalogue import suite_metric
from runbook_lib.evidence import DeployEvidence, Measurement, Role, Window
from runbook_lib.evidence.suites import SuiteResult, SuitesEvidence, TestResult
from runbook_lib.plan import Plan
from runbook_lib.plan.suite import Suite, as_argv
from runbook_lib.ports import Ports
from runbook_lib.ports.logs import LogQuery
from runbook_lib.redact import redact
from runbook_lib.steps.measuring import measurement
from runbook_lib.steps.suites.attempt import Bench, attempt
from runbook_lib.steps.suites.compare import compared
from runbook_lib.steps.suites.invocation import agent_of
from runbook_lib.steps.suites.progress import Watch
from runbook_lib.steps.suites.reach import RequestLog, believed
from runbook_lib.steps.suites.trouble import with_trouble

_EVIDENCE = ("evidence/suites.json",)
_OUTPUT_HEAD_CHARS, _OUTPUT_TAIL_CHARS = 4_000, 16_000
_NOTE_CHARS = 200
_AT_ONCE = 8


def run_suites(
    plan: Plan,
    deployed: DeployEvidence,
    ports: Ports,
    run_id: str,
    secrets: Sequence[str] = (),
    watch: Watch | None = None,
) -> SuitesEvidence:
    """Run every suite in the plan's order, parallel neighbours together.

    Args:
        secrets: What must not be in the evidence, whatever a suite prints or reports.
        watch: Told how far each suite is, a few times a second; by several threads where suites are parallel.

    Raises:
        CommandFailed: If a suite's command cannot be started.
        CloudError: If the candidate's log cannot be read.
    """
    start = ports.clock.now()
    if not deployed.candidate_url:
        return _nothing_to_test(plan, Window(start=start, end=start))
    hidden = (*secrets, *_tokens(plan, ports.commands.environment))
    bench = Bench(deployed=deployed, ports=ports, run_id=run_id, secrets=hidden, watch=watch)
    ran = tuple(_all(plan, bench))
    requests = _requests(plan, deployed, Window(start=start, end=ports.clock.now()), ports)
    skew = timedelta(seconds=plan.logs.clock_skew_s)
    suites = tuple(
        believed(plan.suites[result.id], result, _own(result.id, plan, run_id, RequestLog(requests, skew)))
        for result in ran
    )
    full = len(requests) >= plan.logs.max_entries
    return SuitesEvidence(
        window=Window(start=start, end=ports.clock.now()),
        measurements=tuple(found for result in suites for found in _measured(plan, result)),
        notes=(f"only the first {len(requests)} requests were read: logs.max_entries",) if full else (),
        suites=with_trouble(plan, deployed, suites, ports, hidden),
    )


def _tokens(plan: Plan, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the secrets that the plan names by variables whose own names may not tell."""
    values = {environment.get(suite.token_env or "", "") for suite in plan.suites.values()}
    return tuple(value for value in values if value)


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


def _all(plan: Plan, bench: Bench) -> Iterator[SuiteResult]:
    """Yield each suite's result; waiting out the clocks' difference keeps the windows of batches apart."""
    for batch in _batches(plan):
        yield from _together(batch, bench)
        bench.ports.clock.sleep(2 * plan.logs.clock_skew_s)


def _batches(plan: Plan) -> Iterator[dict[str, Suite]]:
    for parallel, group in groupby(plan.suites, key=lambda name: plan.suites[name].parallel):
        names = tuple(group)
        for batch in (names,) if parallel else tuple((name,) for name in names):
            yield {name: plan.suites[name] for name in batch}


def _together(suites: Mapping[str, Suite], bench: Bench) -> tuple[SuiteResult, ...]:
    """Run suites at the same time; a single one in this thread, where Ctrl-C reaches it."""
    if len(suites) == 1:
        return tuple(_run(name, suite, bench) for name, suite in suites.items())
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        try:
            runs = [pool.submit(_run, name, suite, bench) for name, suite in suites.items()]
            ended = wait(runs, return_when=FIRST_EXCEPTION).done
            return tuple(run.result() for run in (*(run for run in ended if run.exception()), *runs))
        except BaseException:
            bench.stopped.set()
            raise


def _run(name: str, suite: Suite, bench: Bench) -> SuiteResult:
    if suite.token_env and not bench.ports.commands.environment.get(suite.token_env):
        return _without_token(name, suite, bench)
    first = attempt(name, suite, bench)
    after = compared(name, suite, first, bench)
    return SuiteResult(
        id=name,
        title=suite.title or name,
        argv=tuple(redact(part, bench.secrets) for part in first.argv),
        window=first.result.window,
        exit_code=first.result.exit_code,
        timed_out=first.result.exit_code is None,
        read_as=first.report.read_as,
        must_reach_candidate=suite.must_reach_candidate,
        runs=after.runs,
        tests=after.tests,
        baseline_tests=after.baseline_tests,
        output=_both_ends(first.result.output),
    )


def _without_token(name: str, suite: Suite, bench: Bench) -> SuiteResult:
    """Return what a suite gives whose secret is not there: nothing was proven, and nothing has failed."""
    now = bench.ports.clock.now()
    why = f"not run: the environment has no {suite.token_env}"
    return SuiteResult(
        id=name,
        title=suite.title or name,
        argv=as_argv(suite),
        window=Window(start=now, end=now),
        exit_code=None,
        must_reach_candidate=suite.must_reach_candidate,
        runs=0,
        tests=(TestResult(name="the whole suite", status="skipped", duration_s=None, detail=why),),
    )


def _both_ends(output: str) -> str:
    left_out = len(output) - _OUTPUT_HEAD_CHARS - _OUTPUT_TAIL_CHARS
    if left_out <= 0:
        return output
    cut = f"\n… {left_out:,} characters left out …\n"
    return output[:_OUTPUT_HEAD_CHARS] + cut + output[-_OUTPUT_TAIL_CHARS:]


def _requests(plan: Plan, deployed: DeployEvidence, window: Window, ports: Ports) -> pd.DataFrame:
    """Return the candidate's requests in the window, once its log is complete."""
    ports.clock.sleep(plan.logs.settle_s)
    query = LogQuery(
        revision=deployed.candidate.name if deployed.candidate else "",
        start=window.start - timedelta(seconds=plan.logs.clock_skew_s),
        end=window.end + timedelta(seconds=1 + plan.logs.clock_skew_s),
        extra_filter="httpRequest.status>=100",
        limit=plan.logs.max_entries,
    )
    return ports.logs.read(query)


def _own(name: str, plan: Plan, run_id: str, log: RequestLog) -> RequestLog:
    """Return the requests that count for a suite: its own, where it names itself."""
    agent = agent_of(name, plan.suites[name], run_id)
    return log.by(agent) if agent else log


def _measured(plan: Plan, result: SuiteResult) -> Iterator[Measurement]:
    yield _failures(result, "candidate", result.tests)
    if plan.suites[result.id].on_baseline == "always":
        yield _failures(result, "baseline", result.baseline_tests)


def _failures(result: SuiteResult, role: Role, tests: tuple[TestResult, ...]) -> Measurement:
    failed = [test for test in tests if test.failed]
    ran = len(failed) + sum(test.status == "passed" for test in tests)
    unproven = [test for test in tests if not test.failed and test.status != "passed"]
    worst = next(iter([*failed, *unproven]), None)
    return measurement(
        suite_metric(result.id),
        role,
        result.window,
        float(len(failed)),
        ran,
        missing=len(unproven) + (not tests),
        note=_note(worst) if worst else ("" if ran else "no test was collected"),
        evidence=_EVIDENCE,
    )


def _note(test: TestResult) -> str:
    """Return what is wrong with a test: of a failure what it means, else the reason's first line."""
    why = test.finding if test.failed else test.detail.partition("\n")[0]
    name = test.name.rpartition("/")[2]  # a file's folders tell little
    return f"{name} {test.status}{f': {why}' if why else ''}"[:_NOTE_CHARS]
