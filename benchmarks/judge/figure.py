"""State one figure with the bound that was promised for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One promise: a value in the unit of its name, and the bound that it keeps to."""

    name: str
    value: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the value is within its bound; a figure without one is for information."""
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)

    def __str__(self) -> str:
        bound = "" if self.at_most is None else f"at most {self.at_most:g}"
        bound = bound if self.at_least is None else f"at least {self.at_least:g}"
        verdict = "" if not bound else "kept" if self.kept else "MISSED"
        return f"{self.name:74s} {self.value:10.4g}   {bound:15s} {verdict}"
