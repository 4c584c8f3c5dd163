"""What is measured of a load whose sessions are not held is what the whole list of them says."""

from __future__ import annotations

import dataclasses
import random
import sys
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from runbook_lib.evidence import EventSeen, Leak, Role, Session
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.run_folder import RunFolder
from runbook_lib.steps.metrics import MetricsObservation, measure
from runbook_lib.steps.pairing import session_value

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "chaos"))

from day_world import DEPLOYED, EVENTS, Agents, Monitoring, SetClock, good_session

ROLES: tuple[Role, Role] = ("candidate", "baseline")
PAIRS = 200
BOUNDS = {"share": (0.1, 0.5), "zero": (0, 0.5), "latency": (1.2, 2.0)}
COMPARED = {
    "pairs.failures": "share", "pairs.violations": "share", "pairs.leaks": "zero",
    "pairs.connect_s": "latency", "pairs.first_event_s": "latency", "pairs.answer_s": "latency",
}  # fmt: skip
Make = Callable[[Role, int, float], Session]


class Waves(Agents):
    """Remembers how many sessions each wave had."""

    def __init__(self, clock: SetClock, make: Make) -> None:
        super().__init__(clock, make)
        self.sizes: list[int] = []

    async def load(self, *args: Any) -> tuple[Session, ...]:
        made = await super().load(*args)
        self.sizes.append(len(made))
        return made


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """What the step saw, and the sessions as they are kept, by wave."""

    seen: MetricsObservation
    sessions: list[Session]
    waves: list[int]

    def of(self, role: Role) -> list[Session]:
        return [session for session in self.sessions if session.role == role]


def measured(folder: Path, make: Make, pairs: int = PAIRS) -> Measured:
    """Measure a load of sessions that are made up."""
    run, clock = RunFolder.create(folder, f"run-{len(list(folder.iterdir()))}", plan(pairs)), SetClock()
    agents: Any = Waves(clock, make)
    world: dict[str, Any] = dict.fromkeys(("cloud_run", "logs", "commands", "journal"))
    ports = Ports(**world, monitoring=Monitoring(), agents=agents, clock=clock)
    with run.keep_sessions("load_sessions") as kept:
        seen = measure(run.plan(), DEPLOYED, ports, kept)
    rows = pq.read_table(run.path / "evidence" / "load_sessions.parquet").to_pylist()
    sessions = TypeAdapter(list[Session]).validate_python(rows)
    return Measured(seen=seen, sessions=sessions, waves=agents.sizes)


def plan(pairs: int) -> Plan:
    """Return a plan that compares all that can be compared, with waves of 60 pairs."""
    asked = [
        {"id": metric.replace(".", "-").replace("_", "-"), "title": metric, "metric": metric,
         "paired": dict(zip(("tolerance", "margin"), BOUNDS[kind], strict=True))}
        for metric, kind in COMPARED.items()
    ]  # fmt: skip
    return Plan.model_validate(
        {
            "issue": {"title": "Figures"},
            "target": {"project": "p", "region": "r", "service": "chat"},
            "candidate": {"image": "chat"},
            "probes": {"load": {"sessions": pairs, "rate_per_s": 0.5}},
            "metrics": {"idle_s": 300, "drain_s": 60, "settle_s": 60},
            "criteria": asked,
        }
    )


def drawn(seed: int, bad: float, late_s: float) -> Make:
    """Return a maker of sessions; a share of them goes wrong in some way, and the client is late at times."""
    dice = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def make(role: Role, number: int, at_s: float) -> Session:
        connect_s, answer_s = 0.01 + dice.expovariate(20), 0.1 + dice.expovariate(2)
        good = {"lag_s": dice.expovariate(1 / late_s), "connect_s": connect_s, "answer_s": answer_s}
        events = tuple(EventSeen(type=kind, at_s=dice.random()) for kind in EVENTS)
        wrong: tuple[dict[str, Any], ...] = (
            {"status": "handshake_rejected", "connect_s": None, "answer_s": None, "events": (),
             "detail": "503"},
            {"status": "answer_timeout", "answer_s": None, "events": events[:1], "detail": f"after {number}"},
            {"status": "closed", "answer_s": None, "events": ()},
            {"violations": ("came twice",)},
            {"foreign_marks": (f"mark-{role}-{dice.randrange(PAIRS)}", "mark-of-nobody")},
            {"foreign_ids": (f"s-baseline-{dice.randrange(PAIRS)}", f"u-candidate-{dice.randrange(PAIRS)}")},
        )  # fmt: skip
        more = good | {"events": events} | (dice.choice(wrong) if dice.random() < bad else {})
        user = f"user-{dice.randrange(PAIRS // 2)}"  # who may have two sessions
        return dataclasses.replace(good_session(role, number, at_s), **more | {"user": user})

    return make


@pytest.mark.parametrize(
    ("bad", "late_s", "valid"), [(0.0, 0.0001, True), (0.1, 0.002, True), (0.6, 0.3, False), (1, 0.001, True)]
)
def test_every_figure_is_that_of_the_whole_list(
    tmp_path: Path, bad: float, late_s: float, valid: bool
) -> None:
    for seed in range(3):
        found = measured(tmp_path, drawn(seed, bad, late_s))
        evidence, sessions = found.seen.evidence, found.sessions
        assert found.waves == [120, 120, 120, 40]
        assert evidence.sessions == {"candidate": PAIRS, "baseline": PAIRS}
        assert evidence.valid == in_time(sessions)
        for role in ROLES:
            mine, leaked = found.of(role), [each for each in leaks_of(sessions) if each.role == role]
            assert [each for each in evidence.leaks if each.role == role] == leaked[:40]
            got = {each.metric: each for each in evidence.measurements if each.role == role}
            for metric, expected in figures(mine, leaked):
                each = got[metric]
                assert (each.value, each.samples, each.failed, each.own, each.note) == expected, metric
                assert each.missing == 0
            ended = sorted(each.intended_s + (each.connect_s or 0) + (each.answer_s or 0) for each in mine)
            samples = found.seen.memory.of(role)
            assert [each.sessions for each in samples] == [bisect_right(ended, each.at_s) for each in samples]
            assert samples[-1].sessions == PAIRS
    assert evidence.valid == valid


def in_time(sessions: Sequence[Session]) -> bool:
    answers = pd.Series([each.answer_s for each in sessions if each.answer_s is not None])
    lags = pd.Series([each.lag_s for each in sessions])
    return bool(lags.quantile(0.99) <= 0.05 * answers.median())


def figures(sessions: list[Session], leaked: list[Leak]) -> list[tuple[str, tuple[Any, ...]]]:
    """Return value, samples, failed, own and note of each measurement, from a list of one role's sessions."""
    connected = [each for each in sessions if each.connect_s is not None]
    bad = [each for each in sessions if each.status != "answered"]
    note = words(bad[0]) if bad else ""
    return [
        ("load.connect_max_s", slowest(sessions, lambda each: each.connect_s)),
        ("load.answer_max_s", slowest(connected, lambda each: each.answer_s)),
        ("load.failures", (float(len(bad)), len(sessions), 0, 0, note)),
        *((metric, middle(metric, sessions, leaked)) for metric in COMPARED),
    ]


def slowest(sessions: list[Session], time: Callable[[Session], float | None]) -> tuple[Any, ...]:
    known = [(seconds, each) for each in sessions if (seconds := time(each)) is not None]
    lost = [each for each in sessions if time(each) is None]
    if not known:
        return None, 0, len(lost), 0, words(lost[0]) if lost else "no session was made"
    value, worst = max(known, key=lambda each: each[0])
    late_ms = 1000 * max(each.lag_s for each in sessions)
    note = f"session {worst.number}; the client itself was at most {late_ms:.0f} ms late"
    own = max(0.0, value - max(seconds - each.lag_s for seconds, each in known))
    return value, len(known), len(lost), own, words(lost[0]) if lost else note


def middle(metric: str, sessions: list[Session], leaked: list[Leak]) -> tuple[Any, ...]:
    values = pd.Series([session_value(metric)(each) for each in sessions], dtype=float)
    value = values.median() if COMPARED[metric] == "latency" else values.mean()
    if not abs(value) < float("inf"):
        return None, 0, 0, 0, "more than half of the sessions gave no value"
    note = ""
    if metric == "pairs.leaks" and leaked:
        whose = f"of {leaked[0].sender}" if leaked[0].sender else "of somebody unknown"
        note = f"load session {leaked[0].session}: {leaked[0].receiver} received {leaked[0].what} {whose}"
    return value, values.count(), 0, 0, note


def words(session: Session) -> str:
    return f"session {session.number}: {session.status} {session.detail}".strip()


def leaks_of(sessions: list[Session]) -> list[Leak]:
    """Return all leaks, by a dictionary of everybody's names."""
    owners = {each.mark: each.user for each in sessions}
    for each in sessions:
        owners |= {name: each.user for name in (each.user_id, each.session_id) if name}
    return [
        Leak(role=each.role, probe="load", session=each.number, receiver=each.user,
             sender=owners.get(what, ""), what=what)
        for each in sessions
        for what in (*each.foreign_marks, *each.foreign_ids)
        if owners.get(what, "") != each.user
    ]  # fmt: skip


def leaking(foreign: dict[int, tuple[str, ...]]) -> Make:
    """Return a maker of good sessions; to the candidate's session of a number something foreign comes."""

    def make(role: Role, number: int, at_s: float) -> Session:
        came = foreign.get(number, ()) if role == "candidate" else ()
        return dataclasses.replace(good_session(role, number, at_s), foreign_ids=came)

    return make


def test_a_sender_is_known_whose_session_came_in_another_wave(tmp_path: Path) -> None:
    came = {5: ("s-baseline-150",), 100: ("mark-candidate-3", "elsewhere"), 199: ("u-candidate-199",)}
    found = measured(tmp_path, leaking(came)).seen.evidence.leaks
    assert [(each.session, each.receiver, each.sender, each.what) for each in found] == [
        (5, "candidate-5", "baseline-150", "s-baseline-150"),
        (100, "candidate-100", "candidate-3", "mark-candidate-3"),
        (100, "candidate-100", "", "elsewhere"),
    ]


def test_a_sender_is_known_by_an_id_that_is_masked_where_it_is_kept(tmp_path: Path) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MTUwIn0.c2lnbmF0dXJl"  # noqa: S105 - a made-up one
    leak = leaking({5: (token,), 6: (token.replace("c2", "d2"),)})

    def make(role: Role, number: int, at_s: float) -> Session:
        made = leak(role, number, at_s)
        return dataclasses.replace(made, session_id=token) if (role, number) == ("baseline", 150) else made

    found = measured(tmp_path, make)
    assert [(each.session, each.sender, each.what) for each in found.seen.evidence.leaks] == [
        (5, "baseline-150", "[redacted]"),
        (6, "", "[redacted]"),
    ]
    assert {each.session_id for each in found.sessions if each.session_id == "[redacted]"} != set()


def test_the_first_forty_leaks_of_a_role_are_kept(tmp_path: Path) -> None:
    found = measured(tmp_path, leaking(dict.fromkeys(range(50, 190), ("elsewhere",))))
    assert [each.session for each in found.seen.evidence.leaks] == list(range(50, 90))
