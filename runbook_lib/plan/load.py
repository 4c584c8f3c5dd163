"""Model the plan's load: how many sessions arrive, how fast, and what makes them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from runbook_lib.plan.section import Section

LONGEST_LOAD_S = 86_400


class Stage(Section):
    """A part of the load's time: the rate changes in a straight line, or jumps where it lasts 0 s."""

    duration_s: float = Field(ge=0, le=LONGEST_LOAD_S)
    rate_per_s: float = Field(ge=0, le=10_000)
    """Mean arrivals a second on each revision at its end."""


class Load(Section):
    """Sessions that arrive by themselves (open model, Poisson), half of them on the baseline."""

    sessions: int = Field(default=40, ge=1, le=1_000_000)
    """Sessions on each revision; with `stages` at most so many."""
    rate_per_s: float = Field(default=8, gt=0, le=10_000)
    """Mean arrivals a second on each revision, at the beginning."""
    stages: tuple[Stage, ...] = ()
    """Ramps, holds and spikes, one after the other; the load ends with the last one. Without any it holds
    `rate_per_s` until all sessions are made. Example of a spike: `[{duration_s: 20, rate_per_s: 5},
    {duration_s: 0, rate_per_s: 100}, {duration_s: 3, rate_per_s: 100}, {duration_s: 0, rate_per_s: 5},
    {duration_s: 20, rate_per_s: 5}]`."""
    http_paths: tuple[str, ...] = ()
    """Plain GET requests that each session makes with its token after its answer."""
    min_sessions: int = Field(default=0, ge=0, le=1_000_000)
    """Sessions on each revision before the load may end early, e.g. for what a leak needs to show."""
    seed: int = 891
    """Of the arrivals; the same seed gives the same moments."""
    users: int | None = Field(default=None, ge=1, le=1_000_000)
    """Test users on each revision; they take turns, and none has two sessions at the same time: where all are
    busy a session waits, which counts as our own lag. Null: a user of its own for each session."""
    max_open: int = Field(default=5_000, ge=1, le=100_000)
    """Sessions open at the same time at most; the next one waits, which counts as our own lag."""
    engine: Literal["auto", "fast", "websockets"] = "auto"
    """What speaks WebSocket under load. `fast`: our own, many times faster; `websockets`: the library that
    the other probes use. `auto`: the fast one."""
    processes: int = Field(default=0, ge=0, le=256)
    """Processes that share the load; 0: as many as the rate needs, at most one for each core."""
    scheduler: str | None = Field(default=None, pattern=r"^(tcp|tls)://\S+$")
    """Address of a Dask scheduler, such as `tcp://10.0.0.5:8786`; its workers share the load then. They
    need this package with its extra `dask`, and the variable of `probes.auth.password_env` in their
    environment."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts other than this machine that may be loaded."""

    @model_validator(mode="after")
    def _ends_within_a_day(self) -> Load:
        takes_s = sum(stage.duration_s for stage in self.stages) or self.sessions / self.rate_per_s
        if takes_s > LONGEST_LOAD_S:
            raise ValueError(
                f"the load would take {takes_s:,.0f} s: it may last {LONGEST_LOAD_S:,} s at most"
            )
        return self
