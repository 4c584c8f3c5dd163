"""Keep what was seen of both revisions' memory while they were loaded; judges nothing."""

from __future__ import annotations

from pydantic import Field

from runbook_lib.evidence import Record, Role


class MemorySample(Record):
    """Memory of one revision at one moment.

    Attributes:
        at_s: Seconds since the load began; negative before it.
        mib: Resident memory.
        sessions: Sessions of the load that had ended on this revision by then.
    """

    at_s: float
    mib: float = Field(ge=0)
    sessions: int = Field(ge=0)


class MemoryWatch(Record):
    """All samples of both revisions, oldest first. `load_s` is how long the load lasted."""

    load_s: float = Field(ge=0)
    samples: dict[Role, tuple[MemorySample, ...]] = Field(default_factory=dict)

    def of(self, role: Role) -> tuple[MemorySample, ...]:
        """Return one revision's samples; none where none were seen."""
        return self.samples.get(role, ())
