"""Remember in the ledger what an interrupted run has to know, and read from it what became of each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from runbook_lib.run_folder import LedgerEntry, RunFolder

DEPLOY = "deploy"
Noter = Callable[[str, str], None]
"""Appends one fact to the ledger: its name and its value."""


class LedgerJournal:
    """Implements `ports.Journal` on a run's ledger, for the deploy step."""

    def __init__(self, folder: RunFolder, note: Noter) -> None:
        self._folder, self._note = folder, note

    def recall(self, name: str) -> str:
        """Return what was remembered under `name` since the step was last done, or an empty text."""
        return open_facts(self._folder.ledger()).get(name, "")

    def remember(self, name: str, value: str) -> None:
        """Keep a value."""
        self._note(name, value)

    def key(self, name: str) -> str:
        """Return an idempotency key: the same one until the step is done."""
        known = self.recall(name)
        if not known:
            before = sum(name in entry.facts for entry in self._folder.ledger())
            known = f"{self._folder.run_id}.{before + 1}"
            self.remember(name, known)
        return known


def open_facts(ledger: Iterable[LedgerEntry]) -> dict[str, str]:
    """Return the facts of a deployment that is not done; none where the last one is."""
    facts: dict[str, str] = {}
    for entry in ledger:
        if entry.event == "noted":
            facts |= entry.facts
        elif (entry.event, entry.step) == ("step done", DEPLOY):
            facts = {}
    return facts


def last_facts(ledger: Iterable[LedgerEntry]) -> dict[str, str]:
    """Return what was last noted of a deployment, done or not."""
    facts: dict[str, str] = {}
    for entry in ledger:
        if entry.event == "noted":
            facts = entry.facts if "baseline" in entry.facts else facts | entry.facts
    return facts


def given_parameters(ledger: Iterable[LedgerEntry]) -> dict[str, str]:
    """Return what a run was started with: its plan file, and each parameter."""
    started = next((entry.detail for entry in ledger if entry.event == "run started"), "")
    plan, _, given = started.partition(" ")
    pairs = (pair.partition("=") for pair in given.split(", ") if pair)
    return {"plan": plan} | {name: value for name, _, value in pairs}
