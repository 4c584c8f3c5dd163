"""Compare what was compared in two runs and what the judge said: versions, revisions, verdicts, outcomes."""

from __future__ import annotations

from collections.abc import Iterator

from runbook_lib.catalogue import describe
from runbook_lib.compare.difference import ABSENT, Difference
from runbook_lib.compare.past_run import PastRun
from runbook_lib.compare.plans import field_of
from runbook_lib.evidence import ROLES, Role
from runbook_lib.report import text
from runbook_lib.verdict import CriterionResult, Outcome

_UNSETTLED = "one of the runs had too few samples to settle it"


def versions(before: PastRun, after: PastRun) -> Iterator[Difference]:
    """Yield what was judged by other versions."""
    ours, theirs = (run.verdict.versions if run.verdict else {} for run in (before, after))
    for name in dict.fromkeys((*ours, *theirs)):
        if ours.get(name) != theirs.get(name):
            yield Difference(
                group="versions", what=name, before=ours.get(name, ABSENT), after=theirs.get(name, ABSENT)
            )


def revisions(before: PastRun, after: PastRun) -> Iterator[Difference]:
    """Yield how the revisions differ; their names always do, and what the plans say is not said again."""
    for role in ROLES:
        ours, theirs = _facts(before, role), _facts(after, role)
        for name in dict.fromkeys((*ours, *theirs)):
            one, other = ours.get(name, ABSENT), theirs.get(name, ABSENT)
            if one != other and (one, other) != (_planned(before, role), _planned(after, role)):
                yield Difference(group="revisions", what=f"{role} {name}", before=one, after=other)


def same_image(before: PastRun, after: PastRun, role: Role) -> bool:
    """Say whether a role was played by the same image in both runs."""
    ours, theirs = (_facts(run, role).get("image") for run in (before, after))
    return ours is not None and ours == theirs


def outcomes(before: PastRun, after: PastRun) -> Iterator[Difference]:
    """Yield the criteria of both runs that came out differently."""
    for name, ours in before.criteria.items():
        theirs = after.criteria.get(name)
        if theirs and ours.outcome is not theirs.outcome:
            counts = not _left_open(ours, theirs)
            yield Difference(
                group="criteria", what=f"{name}: {theirs.title}", before=text.outcome_word(ours.outcome),
                after=text.outcome_word(theirs.outcome), counts=counts,
                why=theirs.reason if counts else f"{_UNSETTLED}: {theirs.reason}",
            )  # fmt: skip


def regressions(before: PastRun, after: PastRun) -> Iterator[Difference]:
    """Yield the failures of the past that were seen differently; on the same baseline that is chance."""
    ours, theirs = (
        {each.id: each for each in run.verdict.regressions} if run.verdict else {} for run in (before, after)
    )
    control = same_image(before, after, "baseline")
    for name in ours.keys() & theirs.keys():
        if ours[name].reading != theirs[name].reading:
            chance = control and ours[name].after is theirs[name].after
            yield Difference(
                group="regressions", what=f"{name}: {theirs[name].title}", before=ours[name].reading,
                after=theirs[name].reading, counts=not chance,
                why="the baseline is the same image in both runs" if chance else "",
            )  # fmt: skip


def verdicts(before: PastRun, after: PastRun, *, explained: bool) -> Iterator[Difference]:
    """Yield how the verdicts differ, and what only one of the runs saw.

    Args:
        before: The first run.
        after: The second run.
        explained: Whether chance explains all outcomes that differ, and so what follows from them.
    """
    ours, theirs = (run.verdict for run in (before, after))
    unseen = (ours.not_seen if ours else (), theirs.not_seen if theirs else ())
    if unseen[0] != unseen[1]:
        one, other = ("; ".join(each) or "everything was seen" for each in unseen)
        yield Difference(group="verdict", what="not seen", before=one, after=other)
    counts = not explained or unseen[0] != unseen[1] or not (ours and theirs)
    why = "" if counts else "it follows from outcomes that chance explains"
    for what in ("action", "confidence"):
        one, other = (getattr(verdict, what) if verdict else "no verdict" for verdict in (ours, theirs))
        if one != other:
            yield Difference(group="verdict", what=what, before=one, after=other, why=why, counts=counts)


def _left_open(ours: CriterionResult, theirs: CriterionResult) -> bool:
    """Say whether a value was seen by both runs, and one of them could not tell what to make of it."""
    settled = Outcome.INCONCLUSIVE not in (ours.outcome, theirs.outcome)
    seen = ours.observed is not None and theirs.observed is not None
    errors = Outcome.ERROR in (ours.outcome, theirs.outcome)
    return not settled and not errors and seen and not describe(theirs.metric).counts


def _facts(run: PastRun, role: Role) -> dict[str, str]:
    state = getattr(run.deploy, role) if run.deploy else None
    if state is None:
        return {}
    return {
        "image": state.image,
        "memory limit": text.quantity(state.memory_limit_mib, "MiB"),
        "ready": {True: "yes", False: "no", None: "not decided"}[state.ready],
    }


def _planned(run: PastRun, role: Role) -> str | None:
    keys = ("candidate", "image") if role == "candidate" else ("target", "baseline_image")
    planned = field_of(run.plan, *keys)
    return planned if isinstance(planned, str) else None
