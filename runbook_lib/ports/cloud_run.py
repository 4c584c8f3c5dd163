"""Say what steps need of one Cloud Run service: a Protocol of its own, for it alone is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runbook_lib.evidence import RevisionState, ServiceState, TrafficShare


class CloudRun(Protocol):
    """One Cloud Run service."""

    def service(self) -> ServiceState:
        """Return the service as it is now.

        Raises:
            NotFound: If there is no such service.
        """
        ...

    def revision(self, name: str) -> RevisionState:
        """Return one revision of the service."""
        ...

    def revisions(self) -> tuple[RevisionState, ...]:
        """Return the service's revisions, newest first."""
        ...

    def create(self, image: str, timeout_s: float) -> ServiceState:
        """Create the service with all traffic on its first revision and wait until it is ready."""
        ...

    def deploy(self, image: str, env: dict[str, str], timeout_s: float, key: str) -> str:
        """Add a revision, leave the traffic table as it is, wait until ready; return its name.

        Args:
            key: The deployment's idempotency key; a revision of it that is there already is waited for.

        Returns:
            The name; empty where the service has taken the change and made no revision of it.

        Raises:
            RevisionNotReady: If it came into being and did not become ready.
        """
        ...

    def deployed(self, key: str) -> RevisionState | None:
        """Return the revision that the deployment of this key has made, or None."""
        ...

    def lease(self) -> str:
        """Return the line in which the service says who works on it, or an empty text."""
        ...

    def swap_lease(self, before: str, after: str) -> bool:
        """Replace that line if it still is `before`; say whether it was. An empty text is no lease."""
        ...

    def set_traffic(self, shares: Sequence[TrafficShare]) -> ServiceState:
        """Replace the traffic table (`url` is ignored) and wait until it is served."""
        ...
