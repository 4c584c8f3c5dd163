"""Load both revisions look by look, until enough was seen or the plan's budget of sessions is spent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from runbook_lib.evidence import Role, Session, Window
from runbook_lib.pairs import PairCounts, merge, pairs_per_look
from runbook_lib.plan import Plan
from runbook_lib.ports import LoadJob, Ports
from runbook_lib.steps.gauge import open_sessions
from runbook_lib.steps.pairing import count_pairs
from runbook_lib.steps.waiting import run_to_end

Enough = Callable[[Mapping[str, PairCounts]], bool]
"""Asked after each look, with the counts by criterion, whether more sessions could change anything."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What the load gave.

    Attributes:
        due: Sessions that were meant to be made on each revision.
        pairs: Counts by the id of the paired criterion.
        before: Open sessions that the service itself counts, before the load; None where it gives no count.
        after: The same, some time after the last session has ended.
    """

    window: Window
    due: int
    sessions: tuple[Session, ...] = ()
    pairs: dict[str, PairCounts] = field(default_factory=dict)
    before: dict[Role, int | None]
    after: dict[Role, int | None]


def load(plan: Plan, urls: dict[Role, str], ports: Ports, enough: Enough) -> Loaded:
    """Load what `urls` names; without any, nothing is loaded and everything is due.

    Raises:
        RunRefused: If the plan does not allow to load the service's host.
    """
    before, start, began_s = open_sessions(plan, urls, ports), ports.clock.now(), ports.clock.monotonic_s()
    sessions: list[Session] = []
    pairs: dict[str, PairCounts] = {}
    due = 0 if urls else plan.probes.load.sessions
    for look, numbers in enumerate(_looks(plan) if urls else ()):
        made = _one_look(plan, urls, numbers, ports, after_s=ports.clock.monotonic_s() - began_s)
        counted = count_pairs(plan, look, numbers, made)
        pairs = {name: merge(pairs[name], new) if name in pairs else new for name, new in counted.items()}
        sessions += made
        due += len(numbers)
        if pairs and due >= plan.probes.load.min_sessions and enough(pairs):
            break
    window = Window(start=start, end=ports.clock.now())
    ports.clock.sleep(plan.metrics.drain_s if urls else 0)
    return Loaded(
        window=window, due=due, sessions=tuple(sessions), pairs=pairs,
        before=before, after=open_sessions(plan, urls, ports),
    )  # fmt: skip


def _one_look(
    plan: Plan, urls: dict[Role, str], numbers: range, ports: Ports, after_s: float
) -> list[Session]:
    """Make the sessions of one look; their times count from the beginning of the load."""
    made = run_to_end(ports.agents.load(_job(plan, urls, numbers)))
    return [each.model_copy(update={"intended_s": each.intended_s + after_s}) for each in made]


def _looks(plan: Plan) -> Iterator[range]:
    """Yield the session numbers of each look; where nothing is compared by pairs, there is one look."""
    budget = plan.probes.load.sessions
    size = pairs_per_look(budget) if any(criterion.paired for criterion in plan.criteria) else budget
    for first in range(0, budget, size):
        yield range(first, min(first + size, budget))


def _job(plan: Plan, urls: dict[Role, str], numbers: range) -> LoadJob:
    settings = plan.probes.load
    return LoadJob(
        urls=urls,
        sessions=len(numbers),
        first=numbers.start,
        rate_per_s=settings.rate_per_s,
        http_paths=settings.http_paths,
        seed=settings.seed,
    )
