"""Write the verdict as JUnit so that CI shows every criterion, and never reads doubt as green."""

from __future__ import annotations

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from runbook_lib.report import text
from runbook_lib.report.record import RunRecord
from runbook_lib.verdict import CriterionResult, Outcome


def render(record: RunRecord) -> str:
    """Return the content of `junit.xml`: one case per criterion, and a last one for the verdict itself.

    FAIL is a failure and ERROR an error. INCONCLUSIVE is skipped with its reason where the criterion is not
    critical; where it is critical it is an error, because CI counts a skipped test as good. The last case
    fails unless the action is PROCEED_TO_PRODUCTION; without a verdict it is an error.
    """
    suite = TestSuite(text.clean(f"staging validation {record.title()}"))
    suite.add_property("run_id", text.clean(record.run_id))
    suite.add_property("action", record.verdict.action if record.verdict else "none")
    for case in (*map(_case, record.criteria()), _verdict(record)):
        suite.add_testcase(case)
    document = JUnitXml()
    document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    return str(document.tostring().decode())  # type: ignore[no-untyped-call]


def _case(criterion: CriterionResult) -> TestCase:
    case = TestCase(text.clean(f"{criterion.id}: {criterion.title}"), classname=text.clean(criterion.group))
    reason = text.clean(criterion.reason) or "the judge gave no reason"
    if criterion.outcome is Outcome.FAIL:
        case.result = [Failure(reason, "FAIL")]
    elif criterion.outcome is Outcome.INCONCLUSIVE and not criterion.critical:
        case.result = [Skipped(reason)]
    elif criterion.outcome is not Outcome.PASS:
        case.result = [Error(reason, criterion.outcome.name)]
    return case


def _verdict(record: RunRecord) -> TestCase:
    case = TestCase("verdict", classname="run")
    verdict = record.verdict
    if verdict is None:
        case.result = [Error(text.clean("; ".join(record.not_seen())), "NO_VERDICT")]
    elif verdict.action != "PROCEED_TO_PRODUCTION":
        case.result = [Failure(text.clean(verdict.summary), verdict.action)]
    return case
