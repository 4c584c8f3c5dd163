"""Say which defects each variant of the image carries; the service asks, this module never acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .config import ConfigError, number_from

# Variants of several faults are named after what they break; FAULTS in the environment picks some of them.
WEAK_AUTH = (
    "no-credentials", "marker-alone", "token-alone", "garbage-token", "forged-signature", "unsigned-token",
    "anothers-claims", "expired-token", "logged-out-token",
)  # fmt: skip
SESSION_CONFUSION = (
    "same-user-twice", "second-login", "reconnect", "drop-in-mid-stream", "resume", "resume-of-anothers",
)  # fmt: skip
EVENT_FAULTS = (
    "duplicate", "gap", "late", "missing-field", "other-run", "out-of-order", "second-answer", "unknown-type",
)  # fmt: skip
FACTORY_FAULTS = ("race", "wrong-agent")


@dataclass(frozen=True, kw_only=True)
class Defects:
    """One switch for each thing that can go wrong; the defaults are a healthy service.

    `…_every` means each n-th time, so that a rehearsal sees the same failures twice; None means never.
    """

    crash_at_start: bool = False
    error_line_at_start: bool = False
    start_delay_s: float = 0.0
    registry_unhealthy: bool = False
    api_500_every: int | None = None
    slow_handshake_every: int | None = None
    slow_handshake_s: float = 0.0
    lock_timeout_every: int | None = None  # counts handshakes made while another user is connected
    lock_timeout_s: float = 1.5
    recycled_slots: bool = False
    data_agent_fails_every: int | None = None
    foreign_context_every: int | None = None  # counts answers made while another user has said something
    silent_after_thinking: bool = False
    slow_answer_every: int | None = None
    slow_answer_s: float = 0.0
    skip_tool_completed: bool = False
    leak_kib_per_chat: int = 0
    closed_sessions_stay_counted: bool = False
    dropped_sessions_stay_counted: bool = False
    names_revision: str = ""  # in the greeting, instead of the one that it is
    foreign_event_share: float = 0.0  # of the answers, by lot, made while another user has been answered
    faults: frozenset[str] = frozenset()


HEALTHY = Defects()

VARIANTS: Mapping[str, Defects] = {
    "healthy": HEALTHY,
    "previous": Defects(
        recycled_slots=True, data_agent_fails_every=3, foreign_context_every=3, lock_timeout_every=6
    ),
    "crash-loop": Defects(crash_at_start=True),
    "startup-error": Defects(error_line_at_start=True),
    "unhealthy": Defects(registry_unhealthy=True),
    "error-rate": Defects(api_500_every=7),
    "no-answer": Defects(silent_after_thinking=True),
    "session-conflict": Defects(recycled_slots=True),
    "factory-failure": Defects(data_agent_fails_every=3),
    "missing-event": Defects(skip_tool_completed=True),
    "isolation-leak": Defects(foreign_context_every=3),
    "slow-connect": Defects(slow_handshake_every=5, slow_handshake_s=32.0),
    "slow-answer": Defects(slow_answer_every=5, slow_answer_s=62.0),
    "memory-leak": Defects(leak_kib_per_chat=1536),
    "session-leak": Defects(closed_sessions_stay_counted=True),
    "slow-start": Defects(start_delay_s=8.0),
    "weak-auth": Defects(faults=frozenset(WEAK_AUTH)),
    "session-confusion": Defects(faults=frozenset(SESSION_CONFUSION)),
    "event-faults": Defects(faults=frozenset(EVENT_FAULTS)),
    "factory-faults": Defects(faults=frozenset(FACTORY_FAULTS)),
    "wrong-revision": Defects(names_revision="backend-service-00000-old"),
    "rare-leak": Defects(foreign_event_share=0.002),
    "drop-leak": Defects(dropped_sessions_stay_counted=True),
}


def defects_of(variant: str, environ: Mapping[str, str]) -> Defects:
    """Return the variant's defects, with the sizes that the environment asks for.

    Raises:
        KeyError: If there is no such variant.
        ConfigError: If a size is not a number, or FAULTS names one that the variant has not.
    """
    base = VARIANTS[variant]
    return replace(
        base,
        slow_handshake_s=_size(environ, "SLOW_CONNECT_S", base.slow_handshake_s),
        slow_answer_s=_size(environ, "SLOW_ANSWER_S", base.slow_answer_s),
        leak_kib_per_chat=int(_size(environ, "LEAK_KIB_PER_CHAT", base.leak_kib_per_chat)),
        start_delay_s=_size(environ, "SLOW_START_S", base.start_delay_s),
        foreign_event_share=_size(environ, "LEAK_SHARE", base.foreign_event_share),
        faults=_faults(environ, base.faults),
    )


def _faults(environ: Mapping[str, str], every: frozenset[str]) -> frozenset[str]:
    chosen = frozenset(filter(None, environ.get("FAULTS", "").split(",")))
    if every and chosen - every:
        raise ConfigError(f"environment variable FAULTS may name {', '.join(sorted(every))}")
    return every & chosen if chosen else every


def _size(environ: Mapping[str, str], name: str, default: float) -> float:
    return number_from(environ, name, default) if default else 0.0  # a defect that is off stays off


class EveryNth:
    """Count calls and say yes to each n-th."""

    def __init__(self, n: int | None) -> None:
        """Start at zero; with None, never say yes."""
        self._n = n
        self._calls = 0

    def due(self) -> bool:
        """Count one call and say whether it is an n-th one."""
        self._calls += 1
        return self._n is not None and self._calls % self._n == 0
