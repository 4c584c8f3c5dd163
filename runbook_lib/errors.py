"""Name what can stop the runbook from looking; a failed check is an outcome, never one of these."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class RunbookError(Exception):
    """Base of all errors that the runbook raises on purpose.

    Attributes:
        exit_code: What a command that ends with this error returns to its shell.
    """

    exit_code = 3


class PlanError(RunbookError):
    """The plan, a parameter or an argument is wrong; nothing was touched.

    Attributes:
        file: The plan file, or None for an argument.
        line: 1-based line in that file, or None where there is none.
        field: Dotted path of the field, e.g. `criteria.0.metric`.
        allowed: The names or values that would have been accepted; empty where they cannot be listed.
    """

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        file: Path | None = None,
        line: int | None = None,
        field: str = "",
        allowed: Sequence[str] = (),
    ) -> None:
        self.problem, self.file, self.line, self.field = problem, file, line, field
        self.allowed = tuple(allowed)
        super().__init__(self._text())

    def _text(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        parts = [part for part in (place, self.field, self.problem) if part]
        text = ": ".join(parts)
        return f"{text} (allowed: {', '.join(self.allowed)})" if self.allowed else text


class CloudError(RunbookError):
    """A call to the cloud did not answer the question.

    Attributes:
        call: API method in short, e.g. `services.get`.
        resource: What it was called on.
        status: The answer, e.g. `PERMISSION_DENIED` or `503`.
        hint: The next act, in the imperative.
    """

    def __init__(self, call: str, resource: str, status: str, hint: str) -> None:
        self.call, self.resource, self.status, self.hint = call, resource, status, hint
        super().__init__(f"{call} on {resource} answered {status}: {hint}")


class PermissionDenied(CloudError):
    """The caller lacks a role."""


class PermissionsMissing(RunbookError):
    """The preflight found that the caller may not do what the plan needs; nothing was changed.

    Attributes:
        missing: One sentence for each permission: which, on what, and the role to grant.
    """

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing = tuple(missing)
        super().__init__("\n".join(missing))


class NotFound(CloudError):
    """The resource does not exist."""


class QuotaExceeded(CloudError):
    """The API's quota is used up for now; what was asked was not done."""


class AlreadyExists(CloudError):
    """What was to be created is there."""


class Conflict(CloudError):
    """Somebody else changed the resource in between; what was asked was not done."""


class CloudUnavailable(CloudError):
    """The API did not answer, or answered that it cannot now; a change may have been made all the same."""


class RevisionNotReady(RunbookError):
    """A revision was created but never became ready.

    Attributes:
        revision: Its name.
        condition: The message of its Ready condition.
        waited_s: Seconds waited for it.
    """

    def __init__(self, revision: str, condition: str, waited_s: float) -> None:
        self.revision, self.condition, self.waited_s = revision, condition, waited_s
        super().__init__(f"{revision} was not ready after {waited_s:.0f} s: {condition}")


class CommandFailed(RunbookError):
    """A command of the plan (deploy, rollback) could not be run or ended with an error."""


class RunRefused(RunbookError):
    """The act was refused because the run's state does not allow it; the text says what would."""

    exit_code = 2


class NotApproved(RunRefused):
    """The plan wants a person to approve this act, and nobody has; the text says how."""

    exit_code = 10


class AgentError(RunbookError):
    """A WebSocket session with the agent did not do what was asked."""


class HandshakeRejected(AgentError):
    """The server answered the login or the handshake with an error status, or not at all.

    Attributes:
        status: HTTP status, or None where there was no HTTP answer.
    """

    def __init__(self, where: str, status: int | None, detail: str) -> None:
        self.status = status
        super().__init__(f"{where} answered {status if status is not None else 'nothing'}: {detail}")


class TurnTimeout(AgentError):
    """The service did not do its part of the conversation in time.

    Attributes:
        waited_s: Seconds waited.
    """

    def __init__(self, what: str, waited_s: float) -> None:
        self.waited_s = waited_s
        super().__init__(f"{what} did not come within {waited_s:.1f} s")


class ProtocolViolation(AgentError):
    """A session was opened, but does not begin as the plan's protocol says."""

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(f"{where} {detail}")


class CannotRecord(RunbookError):
    """The run's folder cannot be written: its disk is full, or not ours to write; what was there is whole."""


class EvidenceError(RunbookError):
    """Evidence of a run cannot be used."""


class MissingEvidence(EvidenceError):
    """A file that the act needs is not in the run folder."""


class CorruptEvidence(EvidenceError):
    """A file of the run folder does not hold what its name says."""


class ArchiveError(RunbookError):
    """An archive cannot be reached, written or trusted."""


class SecretFound(ArchiveError):
    """A secret stands in an archive that was about to leave this machine; it was not published."""
