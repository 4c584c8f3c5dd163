"""Every act on the cloud is in the ledger before it happens, and its end afterwards, good or bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runbook_lib.errors import CloudUnavailable, RunRefused
from runbook_lib.evidence import RevisionState, ServiceState, TrafficShare, Window
from runbook_lib.ports import CommandResult, Listener
from runbook_lib.recorded import RecordedCloudRun, RecordedCommands

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SERVICE = ServiceState(
    name="s", url="http://s", generation=1, traffic=(), latest_created="s-1", latest_ready="s-1",
    reconciling=False, message="",
)  # fmt: skip
REVISION = RevisionState(name="s-1", image="i", created=NOW, ready=True)
SHARES = (TrafficShare(revision="s-1", percent=90, tag="baseline"), TrafficShare(revision="s-2", percent=10))
GONE = CloudUnavailable("services.update", "s", "UNAVAILABLE", "try again")


@dataclass
class Ledger:
    """One list for everybody, so that it tells the order of intents, acts and results."""

    lines: list[str] = field(default_factory=list)

    def scribe(self, event: str, words: str) -> None:
        self.lines.append(f"{event}: {words}")


@dataclass
class FakeCloud:
    """A cloud that writes down when it is acted on, and fails if it is told to."""

    ledger: Ledger
    error: BaseException | None = None

    def _act(self, what: str) -> None:
        self.ledger.lines.append(what)
        if self.error:
            raise self.error

    def service(self) -> ServiceState:
        return SERVICE

    def revision(self, name: str) -> RevisionState:
        return REVISION.model_copy(update={"name": name})

    def revisions(self) -> tuple[RevisionState, ...]:
        return (REVISION,)

    def create(self, image: str, timeout_s: float) -> ServiceState:
        self._act(f"created {image} within {timeout_s}")
        return SERVICE

    def deploy(self, image: str, env: dict[str, str], timeout_s: float, key: str) -> str:
        self._act(f"deployed {image} with {env} within {timeout_s} as {key}")
        return "s-2"

    def deployed(self, key: str) -> RevisionState | None:
        return REVISION.model_copy(update={"deployment": key})

    def lease(self) -> str:
        return "mine"

    def swap_lease(self, before: str, after: str) -> bool:
        self._act(f"swapped {before!r} for {after!r}")
        return True

    def set_traffic(self, shares: Sequence[TrafficShare]) -> ServiceState:
        self._act(f"set {len(shares)} shares")
        return SERVICE

    @property
    def environment(self) -> Mapping[str, str]:
        return {"HOME": "h"}

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
        self._act(f"ran {argv} in {cwd} with {env} within {timeout_s}, {len(secrets)} secrets, {listener}")
        return CommandResult(exit_code=3, output="o", window=Window(start=NOW, end=NOW))


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def recorded(ledger: Ledger, error: BaseException | None = None) -> RecordedCloudRun:
    """Return a recorded cloud."""
    return RecordedCloudRun(FakeCloud(ledger, error), ledger.scribe, lambda: ledger.lines.append("guarded"))


def test_a_traffic_change_is_intended_then_made_then_done(ledger: Ledger) -> None:
    words = "set traffic: s-1 90 % (tag baseline), s-2 10 %"

    assert recorded(ledger).set_traffic(SHARES) is SERVICE
    assert ledger.lines == ["guarded", f"act intended: {words}", "set 2 shares", f"act done: {words}"]


def test_creations_and_deployments_are_recorded_without_their_environment(ledger: Ledger) -> None:
    assert recorded(ledger).create("img:1", 5) is SERVICE
    assert recorded(ledger).deploy("img:2", {"PASSWORD": "p"}, 6, "k") == "s-2"

    assert ledger.lines == [
        "act intended: create the service with img:1", "created img:1 within 5",
        "act done: create the service with img:1", "guarded",
        "guarded", "act intended: deploy img:2", "deployed img:2 with {'PASSWORD': 'p'} within 6 as k",
        "act done: deploy img:2",
    ]  # fmt: skip


def test_a_command_is_recorded_and_its_result_passed_on_whatever_its_exit_code(ledger: Ledger) -> None:
    commands = RecordedCommands(FakeCloud(ledger), ledger.scribe)
    result = commands.run(["make", "ship"], cwd=Path("w"), env={"A": "b"}, timeout_s=9)

    assert (result.exit_code, result.output) == (3, "o")
    assert commands.environment == {"HOME": "h"}
    made = "ran ['make', 'ship'] in w with {'A': 'b'} within 9, 0 secrets, None"
    assert ledger.lines == ["act intended: run make ship", made, "act done: run make ship"]


def test_a_failed_act_is_recorded_with_its_error_which_goes_on_its_way(ledger: Ledger) -> None:
    with pytest.raises(CloudUnavailable) as raised:
        recorded(ledger, GONE).deploy("img", {}, 1, "k")

    assert raised.value is GONE
    assert ledger.lines[1] == "act intended: deploy img"
    assert ledger.lines[-1] == f"act done: deploy img: CloudUnavailable: {GONE}"


def test_after_an_interrupt_the_intent_stands_alone_for_nobody_knows_what_became_of_it(
    ledger: Ledger,
) -> None:
    with pytest.raises(KeyboardInterrupt):
        recorded(ledger, KeyboardInterrupt()).set_traffic(SHARES[:1])

    assert ledger.lines[1:] == ["act intended: set traffic: s-1 90 % (tag baseline)", "set 1 shares"]


def test_nothing_is_done_that_could_not_be_recorded(ledger: Ledger) -> None:
    def full(event: str, words: str) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        RecordedCloudRun(FakeCloud(ledger), full, lambda: None).set_traffic(SHARES)
    assert ledger.lines == []


def test_what_only_reads_is_passed_on_and_not_recorded(ledger: Ledger) -> None:
    cloud = recorded(ledger)

    assert (cloud.service(), cloud.revision("s-7").name, cloud.revisions()) == (SERVICE, "s-7", (REVISION,))
    made = cloud.deployed("k")
    assert made is not None
    assert (made.deployment, cloud.lease()) == ("k", "mine")
    assert ledger.lines == []


def test_a_secret_among_the_arguments_is_not_recorded(ledger: Ledger) -> None:
    commands = RecordedCommands(FakeCloud(ledger), ledger.scribe)
    commands.run(["ship", "opaque"], cwd=Path("w"), env={}, timeout_s=9, secrets=["opaque"])

    assert [line for line in ledger.lines if line.startswith("act")] == [
        "act intended: run ship [redacted]", "act done: run ship [redacted]"
    ]  # fmt: skip


def test_a_service_that_is_not_ours_is_not_changed_and_nothing_is_intended(ledger: Ledger) -> None:
    def refuse() -> None:
        raise RunRefused("not ours")

    cloud = RecordedCloudRun(FakeCloud(ledger), ledger.scribe, refuse)
    for change in (lambda: cloud.set_traffic(SHARES), lambda: cloud.deploy("img", {}, 1, "k")):
        with pytest.raises(RunRefused, match="not ours"):
            change()
    assert ledger.lines == []


def test_taking_and_giving_back_the_lease_are_acts_too(ledger: Ledger) -> None:
    cloud = recorded(ledger)
    assert cloud.swap_lease("", "mine")
    assert cloud.swap_lease("mine", "")

    assert ledger.lines == [
        "act intended: take or renew the service's lease", "swapped '' for 'mine'",
        "act done: take or renew the service's lease",
        "act intended: give the service's lease back", "swapped 'mine' for ''",
        "act done: give the service's lease back",
    ]  # fmt: skip
