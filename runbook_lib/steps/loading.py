"""Load both revisions wave by wave, until enough was seen or the plan's budget of sessions is spent."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from runbook_lib.arrivals import Arrival, arrivals
from runbook_lib.evidence import ROLES, Role, Session, Window
from runbook_lib.evidence.load_figures import LoadProgress, Tallies
from runbook_lib.evidence.load_figures import merge as merge_tallies
from runbook_lib.evidence.pairs import PairCounts, merge, pairs_per_look
from runbook_lib.plan import Plan
from runbook_lib.ports import LoadJob, Ports
from runbook_lib.ports.kept import KeptSessions
from runbook_lib.steps.gauge import open_sessions
from runbook_lib.steps.isolation import Names
from runbook_lib.steps.pairing import count_pairs
from runbook_lib.steps.session_figures import SessionFigures
from runbook_lib.steps.waiting import run_to_end

_SHORTEST_WAVE_S = 1.0
_SHORTEST_SHARED_WAVE_S = 10.0  # Processes and clusters take a moment to begin.
_FAST_PER_S = 200
_PAIRS_HELD = 10_000  # in a wave of a load of which nothing is compared by pairs; two sessions take 8 KiB
_KEPT_TOGETHER = 4_000

Enough = Callable[[Mapping[str, PairCounts]], bool]
"""Asked after each wave, with the counts by criterion, whether more sessions could change anything."""
Show = Callable[[LoadProgress], None]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What the load gave.

    Attributes:
        due: Sessions that were meant to be made on each revision.
        figures: What was counted of each revision's sessions.
        names: Whose they were, and what came in them that was not their own.
        pairs: Counts by the id of the paired criterion.
        tallies: Each revision's sessions and their times, as they were watched.
        before: Open sessions that the service itself counts, before the load; None where it gives no count.
        after: The same, some time after the last session has ended.
    """

    window: Window
    due: int
    figures: Mapping[Role, SessionFigures]
    names: Names
    pairs: dict[str, PairCounts] = field(default_factory=dict)
    tallies: Tallies = field(default_factory=dict)
    before: dict[Role, int | None]
    after: dict[Role, int | None]


def load(
    plan: Plan,
    urls: dict[Role, str],
    ports: Ports,
    kept: KeptSessions,
    enough: Enough,
    show: Show = lambda _: None,
) -> Loaded:
    """Load what `urls` names; without any, nothing is loaded and everything is due.

    Args:
        plan: How many sessions, how fast, and what is compared.
        urls: Base URL of each revision.
        ports: The world.
        kept: Gets the sessions, wave by wave.
        enough: True ends the load before the budget is spent.
        show: Told twice a second how it goes.

    Raises:
        CannotRecord: If the sessions cannot be kept.
        RunRefused: If the plan does not allow to load the service's host.
    """
    before, start = open_sessions(plan, urls, ports), ports.clock.now()
    loading = _Loading(plan, urls, ports, kept, show)
    for looks in _waves(plan) if urls else ():
        loading.make(looks)
        if loading.pairs and loading.due >= plan.probes.load.min_sessions and enough(loading.pairs):
            break
    window = Window(start=start, end=ports.clock.now())
    ports.clock.sleep(plan.metrics.drain_s if urls else 0)
    return Loaded(
        window=window, due=loading.due if urls else plan.probes.load.sessions,
        figures=loading.figures, names=loading.names, pairs=loading.pairs, tallies=loading.tallies,
        before=before, after=open_sessions(plan, urls, ports),
    )  # fmt: skip


class _Loading:
    """A load under way, and what it has given so far."""

    def __init__(
        self, plan: Plan, urls: dict[Role, str], ports: Ports, kept: KeptSessions, show: Show
    ) -> None:
        self._plan, self._urls, self._ports, self._kept, self._show = plan, urls, ports, kept, show
        self._began_s = ports.clock.monotonic_s()
        self._look, self._last_s = 0, 0.0
        self.due = 0
        compared = tuple(dict.fromkeys(each.metric for each in plan.criteria if each.paired))
        self.figures = {role: SessionFigures(role, compared) for role in ROLES}
        self.names = Names()
        self.pairs: dict[str, PairCounts] = {}
        self.tallies: Tallies = {}

    def make(self, looks: Sequence[Sequence[Arrival]]) -> None:
        """Make the sessions of some looks in one go, count them, and keep them."""
        after_s = self._elapsed_s()
        made = run_to_end(self._ports.agents.load(self._job(looks), self._watch(self.tallies)))
        for look in looks:
            counted = count_pairs(self._plan, self._look, [each.number for each in look], made)
            for name, new in counted.items():
                self.pairs[name] = merge(self.pairs[name], new) if name in self.pairs else new
            self._look, self.due = self._look + 1, self.due + len(look)
        for first in range(0, len(made), _KEPT_TOGETHER):
            self._keep(made[first : first + _KEPT_TOGETHER], after_s)

    def _keep(self, made: Sequence[Session], after_s: float) -> None:
        """Count sessions whose time began `after_s` after the load's, and keep them."""
        for each in made:
            self.figures[each.role].add(each, after_s)
            self.names.add(each)
        self._kept.add(made, after_s)

    def _job(self, looks: Sequence[Sequence[Arrival]]) -> LoadJob:
        """Return the job; its clock begins where the wave before it has ended."""
        began_s, self._last_s = self._last_s, looks[-1][-1].at_s
        starts = (dataclasses.replace(each, at_s=each.at_s - began_s) for look in looks for each in look)
        return LoadJob(urls=self._urls, arrivals=tuple(starts), http_paths=self._plan.probes.load.http_paths)

    def _watch(self, before: Tallies) -> Callable[[Tallies], None]:
        def watch(now: Tallies) -> None:
            self.tallies = merge_tallies(before, now)
            due = self._plan.probes.load.sessions * len(self._urls)
            self._show(LoadProgress.of(self.tallies, due=due, elapsed_s=self._elapsed_s()))

        return watch

    def _elapsed_s(self) -> float:
        return self._ports.clock.monotonic_s() - self._began_s


def _waves(plan: Plan) -> Iterator[list[list[Arrival]]]:
    """Yield the looks of each wave.

    Sessions of a wave are made without a pause, and the judge is asked after it. A load with stages is one
    wave: a pause would bend its shape. A wave of seconds costs a fast load little.
    """
    load, wave = plan.probes.load, list[list[Arrival]]()
    shared = load.scheduler or load.processes > 1 or load.rate_per_s >= _FAST_PER_S
    shortest_s = _SHORTEST_SHARED_WAVE_S if shared else _SHORTEST_WAVE_S
    for look in _looks(plan):
        wave.append(look)
        if not load.stages and look[-1].at_s - wave[0][0].at_s >= shortest_s:
            yield wave
            wave = []
    if wave:
        yield wave


def _looks(plan: Plan) -> Iterator[list[Arrival]]:
    """Yield the pairs of each look; nobody looks where nothing is compared by pairs, so it is a large one."""
    load = plan.probes.load
    compared = any(criterion.paired for criterion in plan.criteria)
    size = pairs_per_look(load.sessions) if compared else _PAIRS_HELD
    coming = arrivals(load)
    while look := list(islice(coming, size)):
        yield look
