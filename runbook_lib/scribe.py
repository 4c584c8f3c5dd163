"""Append to a run's ledger: every line has its time, and nothing secret."""

from __future__ import annotations

import os
from collections.abc import Mapping

from runbook_lib.clock import Clock
from runbook_lib.redact import redact, secrets_of
from runbook_lib.run_folder import Event, LedgerEntry, RunFolder


class LedgerScribe:
    """Writes one run's ledger.

    Attributes:
        secrets: What is redacted, beside what the environment's names tell.
    """

    def __init__(self, folder: RunFolder, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self.secrets = secrets_of(os.environ)

    def note(
        self,
        event: Event,
        *,
        step: str = "",
        detail: str = "",
        error: str = "",
        exit_code: int | None = None,
        who: str = "",
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Append a line, redacted; it is on the disk when this returns."""
        self._folder.record(
            LedgerEntry(
                time=self._clock.now(),
                event=event,
                step=step,
                detail=redact(detail, self.secrets),
                error=error,
                exit_code=exit_code,
                who=redact(who, self.secrets),
                facts=dict(facts or {}),
            )
        )

    def failed(self, step: str, error: BaseException, exit_code: int) -> None:
        """Append that a step, or its notebook, came to no end."""
        name = type(error).__name__
        self.note("step failed", step=step, detail=str(error) or name, error=name, exit_code=exit_code)

    def act(self, event: Event, detail: str) -> None:
        """Append the intent or the result of an act on the cloud."""
        self.note(event, detail=detail)

    def fact(self, name: str, value: str) -> None:
        """Append what a deployment that is interrupted has to know when it is begun again."""
        self.note("noted", step="deploy", detail=f"{name} {value}", facts={name: value})
