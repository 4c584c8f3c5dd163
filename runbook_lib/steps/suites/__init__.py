"""Run the plan's suites and say which of their tests really reached the candidate."""

from runbook_lib.steps.suites.progress import SuiteProgress
from runbook_lib.steps.suites.step import run_suites
from runbook_lib.steps.suites.trouble import FAILURES, trouble_files

__all__ = ["FAILURES", "SuiteProgress", "run_suites", "trouble_files"]
