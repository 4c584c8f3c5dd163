"""Count what the probes saw into measurements; compares nothing with a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from runbook_lib.evidence import HealthPoll, Leak, Measurement, Session, Window
from runbook_lib.plan import Probes
from runbook_lib.sessions import WRONG_AGENT
from runbook_lib.steps.counting import Count, clauses, left_open, name_of, strangers
from runbook_lib.steps.isolation import leaks, sentence
from runbook_lib.steps.measuring import measurement
from runbook_lib.steps.prober import Seen

_EVIDENCE = ("evidence/probes.json", "evidence/probes_sessions.parquet")
_LONGEST_NOTE = 240


def measure(probes: Probes, seen: Seen, window: Window) -> tuple[Measurement, ...]:
    """Return one measurement for each metric of this step, on the revision that was `seen`."""
    counters: dict[str, Callable[[Probes, Seen], Count]] = {
        "health.failing_polls": _health,
        "golden_path.failures": _golden_path,
        "session.conflicts": _conflicts,
        "session.breaches": partial(clauses, "session.breaches"),
        "auth.breaches": partial(clauses, "auth.breaches"),
        "revision.strangers": strangers,
        "sessions.left_by_probes": left_open,
        "factory.failures": _factory,
        "events.violations": _events,
        "isolation.leaks": _isolation,
    }
    return tuple(_measurement(name, count(probes, seen), seen, window) for name, count in counters.items())


def bad_sessions(seen: Seen) -> tuple[Session, ...]:
    """Return the sessions with anything wrong, in order."""
    conflicting = conflicts(seen.users)
    return tuple(each for each in seen.sessions if is_bad(each) or each.user in conflicting)


def conflicts(sessions: Iterable[Session]) -> dict[str, str]:
    """Return what is wrong for each user whose open session got in the way of another's.

    Args:
        sessions: Those of users who were all connected at the same time.
    """
    sessions = [each for each in sessions if each.connect_s is not None]
    first_holder: dict[str, str] = {}
    found: dict[str, str] = {}
    for each in sessions:
        holder = first_holder.setdefault(each.session_id, each.user) if each.session_id else each.user
        if holder != each.user:
            sentence = f"{holder} and {each.user} shared the session id {each.session_id}"
            found |= {holder: sentence, each.user: sentence}
    return _cut_off(sessions) | found


def _cut_off(sessions: list[Session]) -> dict[str, str]:
    last = {each.user: each for each in sessions}
    closed = [each for each in last.values() if each.status == "closed"]
    if len(closed) == len(last):  # nobody went on: the service's end is no conflict among users
        return {}
    return {each.user: f"{each.user} was cut off while others went on: {each.detail}" for each in closed}


def _measurement(name: str, count: Count, seen: Seen, window: Window) -> Measurement:
    has_value = bool(count.bad) or not count.why_none
    note = count.bad[0] if count.bad else seen.absent or count.why_none
    return measurement(
        name, seen.role, window, float(len(count.bad)) if has_value else None, count.samples,
        failed=count.failed, missing=count.missing, note=note[:_LONGEST_NOTE], evidence=_EVIDENCE,
    )  # fmt: skip


def _health(probes: Probes, seen: Seen) -> Count:
    bad = [each for each in seen.polls if each.status != 200 or each.failing or each.detail]
    return Count(
        bad=tuple(map(_poll_sentence, bad)),
        samples=len(seen.polls),
        missing=probes.health.polls - len(seen.polls),
    )


def _golden_path(probes: Probes, seen: Seen) -> Count:
    bad = [each for each in seen.golden_path if each.status != "answered" or each.detail]
    missing = probes.golden_path_sessions - len(seen.golden_path)
    return Count(bad=tuple(map(_sentence, bad)), samples=len(seen.golden_path), missing=missing)


def _conflicts(probes: Probes, seen: Seen) -> Count:
    connected = {each.user for each in seen.users if each.connect_s is not None}
    known = {each.user for each in seen.users if each.user in connected and each.session_id}
    due = probes.concurrent_users
    failed = len({each.user for each in seen.users} - connected)
    why = "" if len(known) > 1 else _first_trouble(seen.users, "fewer than two users had a session id")
    bad = tuple(conflicts(seen.users).values())
    return Count(bad=bad, samples=len(known), failed=failed, missing=due - failed - len(known), why_none=why)


def _factory(probes: Probes, seen: Seen) -> Count:
    sent = [each for each in seen.starts if each.connect_s is not None]
    bad = [each for each in sent if each.status != "answered" or each.detail.startswith(WRONG_AGENT)]
    return Count(
        bad=tuple(map(_sentence, bad)),
        samples=len(sent),
        failed=len(seen.starts) - len(sent),
        missing=probes.starts_per_agent * len(probes.agents) - len(seen.starts),
        why_none="" if sent else _first_trouble(seen.starts, "no agent was started"),
    )


def _events(probes: Probes, seen: Seen) -> Count:
    answers = [each for each in seen.sessions if _shows_events(each)]
    bad = [each for each in answers if each.violations]
    due = probes.golden_path_sessions + probes.concurrent_users * probes.rounds
    due += probes.starts_per_agent * len(probes.agents)
    made = len(seen.golden_path) + len(seen.users) + len(seen.starts)
    return Count(
        bad=tuple(f"{name_of(each)}: {each.violations[0]}" for each in bad),
        samples=len(answers),
        missing=max(0, due - made),
        why_none="" if answers else _first_trouble(seen.sessions, "no answer came"),
    )


def _isolation(probes: Probes, seen: Seen) -> Count:
    heard = {each.user for each in seen.users if each.events or each.status == "answered"}
    unheard = {each.user for each in seen.users} - heard
    first: dict[str, Leak] = {}
    for leak in leaks(seen.sessions):
        first.setdefault(leak.receiver, leak)
    return Count(
        bad=tuple(map(sentence, first.values())),
        samples=len(heard | first.keys()),
        failed=len(unheard - first.keys()),
        missing=probes.concurrent_users - len(heard | unheard),
        why_none="" if len(heard) > 1 else _first_trouble(seen.users, "fewer than two users were answered"),
    )


def _shows_events(session: Session) -> bool:
    cut_short = session.status == "answer_timeout" and bool(session.events)
    return session.status in ("answered", "protocol_violation") or cut_short


def is_bad(session: Session) -> bool:
    faults = session.violations or session.foreign_marks or session.foreign_ids or session.detail
    return session.status != "answered" or bool(faults)


def _first_trouble(sessions: Iterable[Session], otherwise: str) -> str:
    return next((_sentence(each) for each in sessions if is_bad(each)), otherwise)


def _sentence(session: Session) -> str:
    reason = session.detail or next(iter(session.violations), "")
    return f"{name_of(session)}: {session.status.replace('_', ' ')}{': ' if reason else ''}{reason}"


def _poll_sentence(poll: HealthPoll) -> str:
    failing = f"not healthy: {', '.join(poll.failing)}" if poll.failing else poll.detail
    return f"the poll at {poll.at_s:.1f} s answered {poll.status or 'nothing'}; {failing}"
