"""Write every act on the cloud into the ledger: the intent before it, the result after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from runbook_lib.evidence import RevisionState, ServiceState, TrafficShare
from runbook_lib.ports import CloudRun, CommandResult, Commands, Listener
from runbook_lib.redact import redact
from runbook_lib.run_folder import Event

T = TypeVar("T")


Scribe = Callable[[Event, str], None]
"""Appends one line to the ledger: the event, and its words."""


class RecordedCloudRun:
    """A `ports.CloudRun` whose acts are recorded; what only reads is passed on."""

    def __init__(self, inner: CloudRun, scribe: Scribe) -> None:
        self._inner, self._scribe = inner, scribe

    def service(self) -> ServiceState:
        """Return the service as it is now."""
        return self._inner.service()

    def revision(self, name: str) -> RevisionState:
        """Return one revision of the service."""
        return self._inner.revision(name)

    def revisions(self) -> tuple[RevisionState, ...]:
        """Return the service's revisions, newest first."""
        return self._inner.revisions()

    def create(self, image: str, timeout_s: float) -> ServiceState:
        """Create the service."""
        return _recorded(
            self._scribe, f"create the service with {image}", lambda: self._inner.create(image, timeout_s)
        )

    def deploy(self, image: str, env: dict[str, str], timeout_s: float) -> str:
        """Add a revision."""
        return _recorded(self._scribe, f"deploy {image}", lambda: self._inner.deploy(image, env, timeout_s))

    def set_traffic(self, shares: Sequence[TrafficShare]) -> ServiceState:
        """Replace the traffic table."""
        words = ", ".join(_words(share) for share in shares)
        return _recorded(self._scribe, f"set traffic: {words}", lambda: self._inner.set_traffic(shares))


class RecordedCommands:
    """A `ports.Commands` whose commands are recorded, for they may change anything."""

    def __init__(self, inner: Commands, scribe: Scribe) -> None:
        self._inner, self._scribe = inner, scribe

    @property
    def environment(self) -> Mapping[str, str]:
        """What every command gets."""
        return self._inner.environment

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: dict[str, str],
        timeout_s: float,
        secrets: Sequence[str] = (),
        listener: Listener | None = None,
    ) -> CommandResult:
        """Run a command."""
        return _recorded(
            self._scribe,
            redact(f"run {' '.join(argv)}", secrets),
            lambda: self._inner.run(
                argv, cwd=cwd, env=env, timeout_s=timeout_s, secrets=secrets, listener=listener
            ),
        )


def _recorded(scribe: Scribe, what: str, act: Callable[[], T]) -> T:
    scribe("act intended", what)
    try:
        result = act()
    except Exception as error:
        scribe("act done", f"{what}: {type(error).__name__}: {error}")
        raise
    scribe("act done", what)
    return result


def _words(share: TrafficShare) -> str:
    return f"{share.revision} {share.percent} %" + (f" (tag {share.tag})" if share.tag else "")
