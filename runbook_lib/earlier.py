"""Find in the archives of an outputs folder how the same service started before; judges nothing."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.errors import CorruptEvidence
from runbook_lib.evidence.starts import Start, Starts
from runbook_lib.run_folder import RunFolder

MOST_STARTS = 150
"""The newest are kept; 99 let even a single start of a candidate be told from them at 1 in 100."""


def with_earlier(mine: Starts, outputs: Path) -> Starts:
    """Return this run's starts with those of the baselines of earlier runs of its service.

    A start that this run saw itself is none of them. An archive that cannot be read is left out: it is no
    reason not to run.

    Args:
        mine: What this run saw.
        outputs: The folder that holds the run folders.
    """
    own = {(start.revision, start.at) for start in (*mine.candidate, *mine.baseline)}
    found: dict[tuple[str, object], Start] = {}
    for path in sorted(outputs.glob("*/evidence/starts.json"), reverse=True):
        known = _read(RunFolder(path.parents[1]))
        if known and known.service == mine.service:
            found |= {(start.revision, start.at): start for start in known.baseline}
        if len(found) >= MOST_STARTS + len(own):
            break
    others = [start for key, start in found.items() if key not in own]
    newest = sorted(others, key=lambda start: start.at)[-MOST_STARTS:]
    return mine.model_copy(update={"earlier": tuple(newest)})


def _read(folder: RunFolder) -> Starts | None:
    try:
        return folder.find_evidence("starts", Starts)
    except CorruptEvidence:
        return None
