"""Model the plan's suites: somebody's tests, how they are run, and when they are believed."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from runbook_lib.plan.section import Environment, Seconds, Section, check_templates

_PYTEST_NODE = re.compile(r"\.py::")


class Suite(Section):
    """Somebody's tests: pytest node ids, or any command.

    What it reports by pytest, JUnit XML, TAP or `go test -json` is read test by test; without any of them its
    exit code counts.
    """

    title: str = ""
    pytest: tuple[str, ...] = ()
    """pytest arguments: node ids, files, options."""
    command: tuple[str, ...] = ()
    """Argument list; templates as in `env`, and {junit} for the report file it should write."""
    cwd: str = "."
    """Working folder, relative to the plan file."""
    env: Environment = {}
    """Templates: {candidate_url} {candidate_ws_url} {baseline_url} {run_id} {suite} {token_env}.
    RUNBOOK_RUN_ID and RUNBOOK_USER_AGENT are always set."""
    timeout_s: Seconds = 600
    """Then everything that it has started is ended."""
    junit: str = ""
    """Where it writes JUnit XML by itself: a file or a pattern such as `reports/*.xml`, relative to `cwd`."""
    retries: int = Field(default=1, ge=0, le=10)
    """How often failed tests are run again on the candidate; one that passes then is flaky, not passed."""
    on_baseline: Literal["failed", "always", "never"] = "failed"
    """What is also run on the baseline: tests that `failed`, to tell new failures from old ones; or the whole
    suite `always`, which criteria and regressions that compare its failures with the baseline need."""
    parallel: bool = False
    """Run at the same time as its parallel neighbours in the plan."""
    must_reach_candidate: bool = True
    """Believe a pass only if the candidate's request log shows a request in its time."""
    reach_per: Literal["test", "suite"] = "test"
    """Whether each test must have reached the candidate itself, where the runner tells its time, or the suite
    as a whole: for tests that share what a fixture fetched."""
    user_agent: str = ""
    """Count only requests whose User-Agent contains this; templates {run_id} {suite}. The suite finds it,
    filled in, in RUNBOOK_USER_AGENT."""
    token_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Environment variable that holds the suite's secret; its value is masked wherever the suite shows it."""

    @model_validator(mode="after")
    def _one_way(self) -> Suite:
        if bool(self.pytest) == bool(self.command):
            raise ValueError("give either pytest or command")
        names = ("candidate_url", "candidate_ws_url", "baseline_url", "run_id", "suite", "token_env", "junit")
        check_templates((*self.pytest, *self.command, *self.env.values()), *names)
        check_templates((self.user_agent,), "run_id", "suite")
        return self

    @model_validator(mode="after")
    def _parallel_suites_can_be_told_apart(self) -> Suite:
        if self.parallel and self.must_reach_candidate and "{suite}" not in self.user_agent:
            raise ValueError(
                "parallel suites need a user_agent with {suite}, or nobody knows whose a request was"
            )
        return self


def as_argv(suite: Suite) -> tuple[str, ...]:
    """Return the suite's command line; `python FILE.py::TEST`, which Python cannot run, becomes pytest."""
    if suite.pytest:
        return ("python", "-m", "pytest", *suite.pytest)
    program, *rest = suite.command
    if program in ("python", "python3") and rest and _PYTEST_NODE.search(rest[0]):
        return (program, "-m", "pytest", *rest)
    return suite.command
