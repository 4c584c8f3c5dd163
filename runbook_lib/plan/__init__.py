"""Model the plan: one YAML file that says what is validated, how, and what counts as good."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from runbook_lib.catalogue import METRICS, suite_metric
from runbook_lib.plan.criterion import Criterion, Judging
from runbook_lib.plan.load import Load
from runbook_lib.plan.probes import Auth, ClauseName, Health, Protocol
from runbook_lib.plan.section import (
    Environment,
    Name,
    RegularExpression,
    Seconds,
    Section,
    check_templates,
)
from runbook_lib.plan.suite import Suite

MOST_TAG_AND_SERVICE = 46
"""Characters of a tag and its service together: both stand in one part of a host name."""


class NextSteps(Section):
    """What people do after each action, one line each."""

    proceed: tuple[str, ...] = ()
    investigate: tuple[str, ...] = ()
    rollback: tuple[str, ...] = ()


class Issue(Section):
    """What is validated, and what hangs on it."""

    number: int | None = None
    """Number in the tracker; shown as `#891`."""
    title: str
    business_impact: str = ""
    """What a failure costs, in the words of the business."""
    risk: Literal["LOW", "MEDIUM", "HIGH"] = "MEDIUM"
    """Risk of the deployment itself."""
    fixes: tuple[str, ...] = ()
    """The changes under test, e.g. commits."""
    next_steps: NextSteps = NextSteps()


class Endpoints(Section):
    """Addresses (`host:port`, without TLS) that stand in for Google's own."""

    run: str
    logging: str
    monitoring: str
    bigquery: str | None = None
    """Needed for `logs.analytics`; by HTTP, where the others are by gRPC."""


class Target(Section):
    """The service under validation."""

    project: Name
    region: Name
    service: Name
    endpoints: Endpoints | Literal["emulator", "google"] = "google"
    """`google`, `emulator` (started by itself on this machine), or addresses."""
    baseline_image: str | None = None
    """Rehearsal only: deployed first where the emulator has no such service yet."""

    @model_validator(mode="after")
    def _baseline_image_is_for_rehearsals(self) -> Target:
        if self.baseline_image and self.endpoints == "google":
            raise ValueError("baseline_image is for rehearsals: on google, deploy the baseline yourself")
        return self


class Candidate(Section):
    """What is deployed: an image, or a command of the team's own that deploys."""

    image: str | None = None
    command: tuple[str, ...] = ()
    """Argument list; templates: {project} {region} {service}."""
    cwd: str = "."
    """Folder of the command, relative to the plan file."""
    revision_pattern: RegularExpression = r"(?im)^revision id:\s*(?P<revision>[a-z][a-z0-9-]+)\s*$"
    """Regular expression with a group `revision`, searched in the command's output."""
    env: Environment = {}
    """Environment of the container (for `image`) or added to the command's."""
    ready_timeout_s: Seconds = 300

    @model_validator(mode="after")
    def _one_way(self) -> Candidate:
        if bool(self.image) == bool(self.command):
            raise ValueError("give either image or command")
        check_templates(self.command, "project", "region", "service")
        return self

    @field_validator("revision_pattern")
    @classmethod
    def _names_the_revision(cls, pattern: str) -> str:
        if "revision" not in re.compile(pattern).groupindex:
            raise ValueError("needs a group (?P<revision>…)")
        return pattern


class Rollout(Section):
    """How traffic moves."""

    strategy: Literal["tag", "direct"] = "tag"
    """`tag`: the candidate is tested at 0 % by a URL of its own. `direct`: it takes all traffic at once."""
    candidate_tag: Name = "candidate"
    baseline_tag: Name = "baseline"
    steps: tuple[Annotated[int, Field(ge=1, le=100)], ...] = (10, 50, 100)
    """Percentages that `runbook promote` goes through; health is probed after each."""
    approval: Literal["none", "required"] = "none"
    """`required`: nothing is deployed or promoted before a person approved it, with a reason.
    A rollback never waits for that."""
    on_rollback: Literal["automatic", "ask", "never"] = "ask"
    """Whether a ROLLBACK verdict is carried out by the run itself."""
    rollback_command: tuple[str, ...] = ()
    """The team's own rollback; templates: {project} {region} {service} {baseline_revision}.
    Empty: by the API."""

    @model_validator(mode="after")
    def _steps_end_at_100(self) -> Rollout:
        if not self.steps or self.steps[-1] != 100 or list(self.steps) != sorted(set(self.steps)):
            raise ValueError("steps must grow and end at 100")
        return self

    @model_validator(mode="after")
    def _command_can_be_filled_in(self) -> Rollout:
        check_templates(self.rollback_command, "project", "region", "service", "baseline_revision")
        return self


class Analytics(Section):
    """A BigQuery dataset that is linked to the log bucket: too many entries are counted there, not read."""

    dataset: str = Field(pattern=r"^([a-z][a-z0-9:.-]*[a-z0-9]\.)?[A-Za-z_][A-Za-z0-9_]*$")
    """`dataset`, or `project.dataset`."""
    view: str = Field(default="_AllLogs", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    where: str = ""
    """What `logs.filter` says, as a condition in SQL; needed where there is such a filter."""
    max_gib: float = Field(default=100, gt=0)
    """A query that would be charged for more is refused by BigQuery."""


class Logs(Section):
    """Which log entries are read."""

    filter: str = ""
    """More conditions in the Logging query language; joined by AND."""
    settle_s: float = Field(default=15, ge=0, le=600)
    """Entries may arrive this late; logs are complete up to the read time less this."""
    lookback_days: float = Field(default=14, gt=0, le=400)
    """How far back the baseline's start-up is looked for."""
    max_entries: int = Field(default=20_000, ge=1, le=1_000_000)
    """Entries read for each revision and window at most; 1,000 cost a read request."""
    analytics: Analytics | None = None
    """Where more than `max_entries` are counted instead of read; with null, the oldest are read."""
    known_noise: tuple[RegularExpression, ...] = ()
    """Messages that contain one of these regular expressions are not told as new."""
    clock_skew_s: float = Field(default=0.5, ge=0, le=60)
    """So much may the clocks of this machine and the cloud differ, when tests are matched with requests."""

    @model_validator(mode="after")
    def _the_filter_is_in_sql_too(self) -> Logs:
        if self.analytics and self.filter and not self.analytics.where:
            raise ValueError(
                "analytics.where is missing: BigQuery cannot read logs.filter, say the same in SQL"
            )
        return self


class Probes(Section):
    """Our own sessions against candidate and baseline."""

    auth: Auth = Auth()
    protocol: Protocol = Protocol()
    health: Health = Health()
    agents: tuple[str, ...] = Field(default=("triage",), min_length=1)
    """Kinds of agent; the first is the one that ordinary sessions ask for."""
    connect_timeout_s: Seconds = 40
    answer_timeout_s: Seconds = 75
    golden_path_sessions: int = Field(default=5, ge=1, le=1000)
    concurrent_users: int = Field(default=8, ge=2, le=1000)
    """Users of the isolation and session probes, connected at the same time."""
    rounds: int = Field(default=2, ge=1, le=1000)
    """Messages of each concurrent user."""
    starts_per_agent: int = Field(default=6, ge=1, le=1000)
    """Agents started of each kind: half of them a few at a time, the others all at once."""
    without: tuple[ClauseName, ...] = ()
    """Clauses about sessions and tokens that this service does not promise; they are not tried."""
    load: Load = Load()


class Metrics(Section):
    """Reading of Cloud Monitoring."""

    settle_s: float = Field(default=180, ge=0, le=3600)
    """Points arrive this late; waited after the load."""
    drain_s: float = Field(default=2, ge=0, le=600)
    """Wait between the last session's end and the count of sessions still open."""
    idle_s: float = Field(default=60, ge=0, le=3600)
    """Quiet time before and after the load, for memory samples."""


class Regression(Section):
    """A failure before the fix: the criterion that shows it must fail on the baseline and pass now."""

    id: Name
    title: str
    criterion: Name


class SelfTest(Section):
    """Rehearsal of the gate itself, on the emulator: images whose defect is known, and images without one."""

    defects: dict[str, Name] = {}
    """Image with a defect, and the criterion that must catch it."""
    healthy: tuple[str, ...] = ()
    """Images that must proceed: against the plan's baseline, and against themselves."""


class Report(Section):
    """Where the record goes."""

    folder: str = "outputs"
    """Folder of the run folders, relative to the project's root."""
    archive: tuple[str, ...] = ()
    """Where a finished run is copied to: folders, relative to the project's root, and `gs://BUCKET/FOLDER`.
    A run in which a secret is found is not copied."""


class Plan(Section):
    """One validation."""

    issue: Issue
    target: Target
    candidate: Candidate
    rollout: Rollout = Rollout()
    logs: Logs = Logs()
    suites: dict[Name, Suite] = {}
    probes: Probes = Probes()
    metrics: Metrics = Metrics()
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    judging: Judging = Judging()
    regressions: tuple[Regression, ...] = ()
    selftest: SelfTest = SelfTest()
    report: Report = Report()

    @field_validator("criteria")
    @classmethod
    def _something_is_critical(cls, criteria: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
        if not any(criterion.critical for criterion in criteria):
            raise ValueError("at least one criterion must be critical")
        return criteria

    @model_validator(mode="after")
    def _compared_suites_run_on_the_baseline(self) -> Plan:
        always = {suite_metric(name) for name, suite in self.suites.items() if suite.on_baseline == "always"}
        suites = {suite_metric(name) for name in self.suites} - always
        for criterion in self.criteria:
            if criterion.baseline and criterion.metric in suites:
                raise ValueError(
                    f"criterion {criterion.id} compares with the baseline: its suite needs on_baseline always"
                )
        return self

    @model_validator(mode="after")
    def _tags_fit_into_a_host_name(self) -> Plan:
        for tag in (self.rollout.candidate_tag, self.rollout.baseline_tag):
            if len(tag) + len(self.target.service) > MOST_TAG_AND_SERVICE:
                raise ValueError(
                    f"the tag {tag!r} and the service {self.target.service!r} together have more than "
                    f"{MOST_TAG_AND_SERVICE} characters, which Cloud Run refuses: "
                    "choose a shorter rollout tag"
                )
        return self

    def metric_names(self) -> tuple[str, ...]:
        """Return every metric that a criterion of this plan may name."""
        return (*METRICS, *(suite_metric(suite) for suite in self.suites))
