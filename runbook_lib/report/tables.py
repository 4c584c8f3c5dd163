"""Turn records into tables of words (pandas) for notebooks and reports, and a table into safe HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from runbook_lib.catalogue import suite_metric
from runbook_lib.evidence import ROLES, DeployEvidence, Role, Session, StepEvidence, TrafficShare
from runbook_lib.evidence.logs import SEVERITIES, LogFinding, LogsEvidence
from runbook_lib.evidence.suites import SuiteResult
from runbook_lib.redact import MASK, secrets_of
from runbook_lib.rehearsal import SelfTested
from runbook_lib.report import suite_tables, text, thinning
from runbook_lib.report.record import RunRecord
from runbook_lib.verdict import CriterionResult, LookSeen, Outcome, RegressionResult

_RULE = "border-bottom:1px solid rgba(128,128,128,.35);"
_CELL = f"text-align:left;vertical-align:top;padding:.35em .8em .35em 0;{_RULE}"
_HEAD = _CELL + "font-weight:600;"
_SHORT, _UNBROKEN = 14, "white-space:nowrap;"  # characters: a value with its unit
_TABLE = "border-collapse:collapse;text-align:left;font-size:.95em;"


def table_of(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Return a table of words, every cell cleaned of what a reader must not obey."""
    return pd.DataFrame([[text.clean(str(cell)) for cell in row] for row in rows], columns=list(columns))


def criteria(results: Iterable[CriterionResult]) -> pd.DataFrame:
    """Return one row per criterion, in the judge's words."""
    columns = ("Outcome", "Criterion", "Observed", "Bound", "Baseline", "Samples", "Interval", "Reason")
    return table_of(columns, (
        (text.outcome_word(c.outcome), c.title, text.quantity(c.observed, c.unit),
         text.bounded(c.bound, c.unit), text.quantity(c.baseline, c.unit), c.samples,
         text.effect(c) if c.interval else "", c.reason)
        for c in results
    ))  # fmt: skip


def groups(found: Mapping[str, Sequence[CriterionResult]]) -> pd.DataFrame:
    """Return one row per group: how many of its criteria passed, and which did not."""
    return table_of(("Group", "Passed", "Did not pass"), (
        (name, f"{sum(c.outcome is Outcome.PASS for c in members)} of {len(members)}",
         "; ".join(f"{c.outcome.name} {c.title}" for c in members if c.outcome is not Outcome.PASS))
        for name, members in found.items()
    ))  # fmt: skip


def parameters(record: RunRecord) -> pd.DataFrame:
    """Return one row per parameter of the run, secrets masked by their names and by their shapes."""
    secrets = secrets_of(record.parameters)
    return pairs({
        text.clean(name): MASK if secrets_of({name: MASK}) else text.clean(value, secrets)
        for name, value in record.parameters.items()
    }, ("Name", "Value"))  # fmt: skip


def suite_outcome(record: RunRecord, suite_id: str) -> Outcome:
    """Return the outcome of a suite: the judge's word, else what its tests say.

    A suite that no criterion names passes only if it ended by itself with 0 and every test of it passed.
    """
    judged = [c.outcome for c in record.criteria() if c.metric == suite_metric(suite_id)]
    if judged:
        return max(judged)
    suite = suite_result(record, suite_id)
    statuses = {test.status for test in suite.tests} if suite else set()
    if statuses & {"failed", "error"}:
        return Outcome.FAIL
    complete = suite is not None and suite.exit_code == 0 and not suite.timed_out
    return Outcome.PASS if complete and statuses == {"passed"} else Outcome.INCONCLUSIVE


def suite_result(record: RunRecord, suite_id: str) -> SuiteResult | None:
    """Return the run of a suite, or None where it did not run."""
    suites = record.suites.suites if record.suites else ()
    return next((suite for suite in suites if suite.id == suite_id), None)


def counts(suite: SuiteResult | None) -> str:
    """Return how many tests had which status, e.g. `3 passed, 1 hollow`."""
    if suite is None or not suite.tests:
        return "no test was seen" if suite else text.NOT_OBSERVED
    tally: dict[str, int] = {}
    for test in suite.tests:
        tally[test.status] = tally.get(test.status, 0) + 1
    return ", ".join(f"{count} {status}" for status, count in tally.items())


def suites(record: RunRecord) -> pd.DataFrame:
    """Return one row per suite of the plan, run or not."""
    columns = (
        "Suite", "Outcome", "Duration", "Tests", "Requests that reached the candidate", "Exit code",
        "Read from",
    )  # fmt: skip
    rows = []
    for suite_id, suite in record.plan.suites.items():
        seen = suite_result(record, suite_id)
        exit_code = "ended at its time limit" if seen and seen.timed_out else _known(seen and seen.exit_code)
        rows.append((
            suite.title or suite_id, text.outcome_word(suite_outcome(record, suite_id)),
            text.span(seen.window.seconds if seen else None), counts(seen), _requests(seen),
            exit_code, _known(seen and seen.read_as),
        ))  # fmt: skip
    return table_of(columns, rows)


def _requests(suite: SuiteResult | None) -> str:
    """Return how many requests reached the candidate, and whether the plan does without them."""
    free = suite and not suite.must_reach_candidate
    return _known(suite and suite.requests) + (" (the plan asks for none)" if free else "")


def tests(suite: SuiteResult) -> pd.DataFrame:
    """Return one row per test of a suite."""
    return table_of(("Test", "Status", "Finding", "Duration", "Detail"), (
        (test.name, test.status, suite_tables.finding(test), text.span(test.duration_s), test.detail)
        for test in suite.tests
    ))  # fmt: skip


def traffic(shares: Iterable[TrafficShare], record: RunRecord) -> pd.DataFrame:
    """Return one row per entry of a traffic table; `record` tells which revision is which."""
    roles = {record.candidate(): "candidate", record.baseline(): "baseline"}
    return table_of(("Revision", "Role", "Traffic", "Tag"), (
        (share.revision, roles.get(share.revision, "other"), f"{share.percent} %", share.tag or "none")
        for share in shares
    ))  # fmt: skip


def revisions(deploy: DeployEvidence | None) -> pd.DataFrame:
    """Return one row per role that has a revision."""
    columns = ("Role", "Revision", "Image", "Created", "Ready", "Message")
    states = zip(ROLES, (deploy.candidate, deploy.baseline), strict=True) if deploy else ()
    words = {True: "yes", False: "no", None: "not decided"}
    return table_of(columns, (
        (role, state.name, state.image, text.moment(state.created), words[state.ready], state.message)
        for role, state in states if state
    ))  # fmt: skip


def regressions(results: Iterable[RegressionResult]) -> pd.DataFrame:
    """Return one row per regression: before the fix (baseline) and after it (candidate)."""
    return table_of(("Regression", "Before", "After", "Reading"), (
        (r.title, text.outcome_word(r.before), text.outcome_word(r.after), r.reading) for r in results
    ))  # fmt: skip


def findings(found: Iterable[LogFinding]) -> pd.DataFrame:
    """Return one row per log line worth a person's time."""
    return table_of(("Time", "Severity", "Role", "Message"), (
        (text.moment(f.time), f.severity, f.role, text.times(f.count, f.message)) for f in found
    ))  # fmt: skip


def sessions(bad: Sequence[Session], role: Role | None = None) -> pd.DataFrame:
    """Return one row per session with a problem, of one role or of both."""
    columns = ("Probe", "Role", "Session", "User", "Status", "Connect", "Answer", "Problem")
    return table_of(columns, (
        (s.probe, s.role, s.number, s.user, s.status.replace("_", " "), text.milliseconds(s.connect_s),
         text.milliseconds(s.answer_s), problem(s, bad)) for s in bad if role in (None, s.role)
    ))  # fmt: skip


def problem(session: Session, others: Iterable[Session] = ()) -> str:
    """Return all that went wrong in a session, in words; `others` tell who else had its session id."""
    sharing = {
        f"shares the session id {session.session_id} with {other.user}"
        for other in others
        if session.session_id
        and (other.role, other.session_id) == (session.role, session.session_id)
        and other.user != session.user
    }
    foreign = [f"saw the mark {mark} of another user" for mark in session.foreign_marks]
    foreign += [f"saw an event that bears the id {each} of another" for each in session.foreign_ids]
    said = [part for part in (session.detail, *session.violations, *foreign, *sorted(sharing)) if part]
    return "; ".join(said) or "none of its own"


def measurements(step: StepEvidence | None) -> pd.DataFrame:
    """Return one row per measurement of a step."""
    columns = ("Metric", "Role", "Value", "Samples", "Failed", "Missing", "Note")
    return table_of(columns, (
        (m.metric, m.role, text.measured(m), m.samples, m.failed, m.missing, m.note)
        for m in (step.measurements if step else ())
    ))  # fmt: skip


def events(session: Session | None, expected: Sequence[str] = ()) -> pd.DataFrame:
    """Return one row per event of a session and per expected one that never came."""
    seen = session.events if session else ()
    came = {event.type for event in seen}
    rows = [(event.type, text.milliseconds(event.at_s), _known(event.sequence)) for event in seen]
    rows += [(name, "did not come", text.NOT_OBSERVED) for name in expected if session and name not in came]
    return table_of(("Event", "After the message", "Sequence"), rows)


def latencies(load: pd.DataFrame | None, column: str) -> pd.DataFrame:
    """Return, for each role, sessions, those without a value, and quantiles of `column` (seconds)."""
    columns = ("Role", "Sessions", "Without a value", "Fastest", "Median", "95th percentile", "Slowest")
    rows = []
    for role in ROLES:
        values = role_values(load, role, column)
        quantiles = [text.milliseconds(float(values.quantile(q))) for q in (0, 0.5, 0.95, 1)]
        if len(values):
            rows.append((role, len(values), int(values.isna().sum()), *quantiles))
    return table_of(columns, rows)


def role_values(load: pd.DataFrame | None, role: Role, column: str) -> pd.Series[float]:
    """Return `column` of one role's load sessions as numbers, NaN where a session has none."""
    if load is None or column not in load:
        return pd.Series(dtype=float)
    return load[load["role"] == role][column].astype(float)


def series(points: pd.DataFrame | None, metric: str) -> pd.DataFrame:
    """Return, for each role, how the series whose name contains `metric` began, ended and ranged."""
    columns = ("Role", "Points", "First", "Last", "Lowest", "Highest")
    rows = []
    for role in ROLES:
        own = series_of(points, metric, role)
        if len(own):
            values, unit = own["value"], str(own["unit"].iloc[0])
            shown = (values.iloc[0], values.iloc[-1], values.min(), values.max())
            rows.append((role, len(own), *(text.quantity(float(value), unit) for value in shown)))
    return table_of(columns, rows)


def series_of(points: pd.DataFrame | None, metric: str, role: Role) -> pd.DataFrame:
    """Return the points with a value, oldest first, of one role's series whose name contains `metric`."""
    if points is None or points.empty:
        return pd.DataFrame(columns=["time", "role", "metric", "value", "unit"])
    chosen = (points["role"] == role) & points["metric"].str.contains(metric, regex=False)
    return points[chosen].dropna(subset=["value"]).sort_values("time")


def severities(logs: LogsEvidence | None) -> pd.DataFrame:
    """Return one row per severity that was seen, mildest first, and its entries on each revision."""
    found = logs.counts if logs else {}
    roles = [role for role in ROLES if role in found]
    return table_of(
        ("Severity", *(role.capitalize() for role in roles)),
        ((name, *(found[role].get(name, 0) for role in roles)) for name in severity_order(logs)),
    )


def severity_order(logs: LogsEvidence | None) -> list[str]:
    """Return the severities that were seen, mildest first, unknown names last."""
    seen = {name for tally in logs.counts.values() for name in tally} if logs else set()
    return [name for name in SEVERITIES if name in seen] + sorted(seen - set(SEVERITIES))


def comparisons(results: Iterable[CriterionResult]) -> pd.DataFrame:
    """Return one row per criterion that compares pairs, with what is known of the effect."""
    columns = ("Outcome", "Criterion", "Candidate", "Baseline", "Effect", "Pairs", "Reason")
    return table_of(columns, (
        (text.outcome_word(c.outcome), c.title, text.quantity(c.observed, c.unit),
         text.quantity(c.baseline, c.unit),
         text.effect(c) or text.NOT_OBSERVED, c.samples, c.reason)
        for c in results
    ))  # fmt: skip


def trail(result: CriterionResult, most: int = 40) -> pd.DataFrame:
    """Return one row per look at the pairs of one criterion, of too many the extremes and both ends."""
    return table_of(("Pairs", "Evidence of worse than tolerated", "Evidence of within the margin"), (
        (look.pairs, f"{text.odds(look.against)} to 1", f"{text.odds(look.favour)} to 1")
        for look in drawn_looks(result, most)
    ))  # fmt: skip


def drawn_looks(result: CriterionResult, most: int) -> tuple[LookSeen, ...]:
    """Return at most so many of a criterion's looks: the first, the last, and the extremes between them."""
    against, favour = [look.against for look in result.trail], [look.favour for look in result.trail]
    return tuple(result.trail[place] for place in thinning.extremes(against, favour, most=most))


def tried(selftest: SelfTested | None) -> pd.DataFrame:
    """Return one row per image of a self-test: what had to happen, and what did."""
    columns = ("As expected", "Image", "Compared with", "Expected", "Verdict", "Failed criteria", "Sessions")
    return table_of(columns, (
        ("yes" if t.as_expected else "NO", t.image, t.baseline,
         f"{t.expected} fails" if t.expected else "PROCEED_TO_PRODUCTION",
         t.action or f"could not look: {t.error}", ", ".join(t.failed) or "none", t.sessions)
        for t in (selftest.tried if selftest else ())
    ))  # fmt: skip


def pairs(values: Mapping[str, str], names: tuple[str, str]) -> pd.DataFrame:
    """Return one row per entry of a mapping."""
    return table_of(names, values.items())


def to_html(table: pd.DataFrame, links: Mapping[str, str] | None = None, most: int = 200) -> str:
    """Return `table` as escaped HTML that keeps its look where only inline styles survive.

    JupyterLab drops `<style>` and scripts from outputs that it does not trust; colours are inherited, so
    that it reads in light and dark themes.

    Args:
        table: Of words.
        links: Where a cell with just these words leads.
        most: Rows that are shown; of more it says how many there are.
    """
    head = "".join(f'<th scope="col" style="{_HEAD}">{escape(str(name))}</th>' for name in table.columns)
    rows = (
        "".join(_cell(str(cell), links or {}) for cell in row)
        for row in table.head(most).itertuples(index=False, name=None)
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    more = f"<p>The first {most} of {len(table):,}.</p>" if len(table) > most else ""
    return f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}'


def _cell(words: str, links: Mapping[str, str]) -> str:
    shown = escape(words)
    linked = f'<a href="{escape(links[words])}">{shown}</a>' if words in links else shown
    return f'<td style="{_CELL}{_UNBROKEN if len(words) <= _SHORT else ""}">{linked}</td>'


def _known(value: object) -> str:
    return text.NOT_OBSERVED if value is None else str(value)
