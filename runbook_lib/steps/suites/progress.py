"""Say how far a suite is while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runbook_lib.evidence import Role
from runbook_lib.steps.suites.reported import Tally


@dataclass(frozen=True, kw_only=True)
class SuiteProgress:
    """What is known of a running suite.

    Attributes:
        suite: Its id in the plan.
        role: Which revision it is run on.
        line: The last line that it printed, redacted.
    """

    suite: str
    title: str
    role: Role
    tally: Tally
    line: str = ""

    def sentence(self) -> str:
        """Return it as a person would say it, in one line."""
        of = f" of {self.tally.total}" if self.tally.total else ""
        failed = f", {self.tally.failed} failed" if self.tally.failed else ""
        where = " on the baseline" if self.role == "baseline" else ""
        doing = self.tally.running.rpartition("::")[2] or self.line
        return f"{self.title}{where}: {self.tally.done}{of} tests{failed}" + (f" · {doing}" if doing else "")


Watch = Callable[[SuiteProgress], None]
