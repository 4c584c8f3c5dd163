"""Write every act on the cloud into the ledger: the intent before it, the result after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from runbook_lib.evidence import RevisionState, ServiceState, TrafficShare
from runbook_lib.ports import CommandResult, Commands, Listener
from runbook_lib.ports.cloud_run import CloudRun
from runbook_lib.redact import redact
from runbook_lib.run_folder import Event

T = TypeVar("T")


Scribe = Callable[[Event, str], None]
"""Appends one line to the ledger: the event, and its words."""


class RecordedCloudRun:
    """A `ports.CloudRun` whose acts are recorded; what only reads is passed on.

    Args:
        guard: Called before the traffic or the revisions are changed; raises where that is not ours to do.
    """

    def __init__(self, inner: CloudRun, scribe: Scribe, guard: Callable[[], None]) -> None:
        self._inner, self._scribe, self._guard = inner, scribe, guard

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
        """Create the service, which then is ours."""
        what = f"create the service with {image}"
        created = _recorded(self._scribe, what, lambda: self._inner.create(image, timeout_s))
        self._guard()
        return created

    def deploy(self, image: str, env: dict[str, str], timeout_s: float, key: str) -> str:
        """Add a revision."""
        self._guard()
        return _recorded(
            self._scribe, f"deploy {image}", lambda: self._inner.deploy(image, env, timeout_s, key)
        )

    def deployed(self, key: str) -> RevisionState | None:
        """Return the revision of a deployment."""
        return self._inner.deployed(key)

    def lease(self) -> str:
        """Return the service's lease."""
        return self._inner.lease()

    def swap_lease(self, before: str, after: str) -> bool:
        """Replace the service's lease."""
        what = "take or renew the service's lease" if after else "give the service's lease back"
        return _recorded(self._scribe, what, lambda: self._inner.swap_lease(before, after))

    def set_traffic(self, shares: Sequence[TrafficShare]) -> ServiceState:
        """Replace the traffic table."""
        self._guard()
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
