"""Everything of ours that reads what others wrote, with good input and the errors it may answer with."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from google.cloud import run_v2
from google.cloud.logging_v2.types import ListLogEntriesResponse, LogEntry
from google.protobuf.message import DecodeError

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import Conversation
from runbook_lib.errors import CloudError, CorruptEvidence, PlanError, ProtocolViolation
from runbook_lib.evidence import DeployEvidence, Measurement, RevisionState, TrafficShare, Window
from runbook_lib.gcp.cloud_run_states import revision_state, service_state
from runbook_lib.gcp.log_columns import as_batch, entries_of, next_token
from runbook_lib.lease import Lease, read_lease
from runbook_lib.plan import Protocol
from runbook_lib.plan.file import load_plan
from runbook_lib.run_folder import Event, LedgerEntry, RunFolder
from runbook_lib.steps.suites.junit import read_junit

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAN = b"""\
issue: {title: A plan, number: 7}
target: {project: staging, region: here, service: chat}
candidate: {image: "chat:2", env: {A: b}}
suites: {smoke: {command: [run, "{candidate_url}"], timeout_s: 5}}
criteria:
  - {id: ready, title: Ready, metric: deploy.ready, at_least: 1}
  - {id: smoke, title: Smoke, metric: suite.smoke.failures, at_most: 0}
"""
JUNIT = b"""<testsuites><testsuite name="s" tests="2"><testcase name="a" classname="c" time="0.1"/>
<testcase name="b"><failure message="m">text &amp; more</failure><system-out>o</system-out></testcase>
</testsuite></testsuites>"""
EVENTS = ("agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed")


@dataclass(frozen=True, kw_only=True)
class Parser:
    """One reader.

    Attributes:
        good: Input that it reads, from which bad input is made.
        read: Reads it.
        refuses: The only errors that it may answer with.
        weight: Its share of the cases.
        binary: Its input is no text: single bytes are changed, lengths are not.
    """

    name: str
    good: tuple[bytes, ...]
    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...] = ()
    weight: float = 1.0
    binary: bool = False


def parsers(folder: Path) -> tuple[Parser, ...]:
    """Return all of them; those that read files write their input below `folder`."""
    run = RunFolder(folder)
    (folder / "evidence").mkdir(parents=True)
    plan, junit, ledger = folder / "plan.yaml", folder / "junit.xml", folder / "ledger.jsonl"
    evidence = folder / "evidence" / "deploy.json"

    def of_file(file: Path, read: Callable[[], object]) -> Callable[[bytes], object]:
        def write_and_read(data: bytes) -> object:
            file.write_bytes(data)
            return read()

        return write_and_read

    return (
        Parser(
            name="plan", good=(PLAN,), refuses=(PlanError,), weight=0.001,
            read=of_file(plan, lambda: load_plan(plan)),
        ),
        Parser(name="parameters", good=_PARAMETERS, refuses=(PlanError,), weight=0.001, read=_parameters),
        Parser(
            name="ledger", good=_LEDGER, refuses=(CorruptEvidence,), weight=0.06,
            read=of_file(ledger, run.ledger),
        ),
        Parser(
            name="evidence", good=_EVIDENCE, refuses=(CorruptEvidence,), weight=0.04,
            read=of_file(evidence, lambda: run.read_evidence("deploy", DeployEvidence)),
        ),
        Parser(name="junit", good=(JUNIT,), weight=0.01, read=of_file(junit, lambda: read_junit(junit))),
        Parser(
            name="lease", good=(_LEASE,), weight=0.15,
            read=lambda data: read_lease(data.decode(errors="replace")),
        ),
        Parser(name="frames", good=_FRAMES, refuses=(ProtocolViolation,), weight=0.3, read=_converse),
        Parser(
            name="service", good=(_SERVICE,), refuses=(DecodeError,), weight=0.2, binary=True, read=_service
        ),
        Parser(
            name="revision", good=(_REVISION,), refuses=(DecodeError, CloudError), weight=0.2, binary=True,
            read=_revision,
        ),
        Parser(
            name="log page", good=(_PAGE,), refuses=(CloudError,), weight=0.02, binary=True,
            read=_page,
        ),
    )  # fmt: skip


def _parameters(data: bytes) -> object:
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(PLAN)
        file.flush()
        name, _, value = data.decode(errors="replace").partition("=")
        return load_plan(Path(file.name), {name: value})


def _converse(data: bytes) -> object:
    """Feed the frames between the blank lines to a conversation."""
    greeting, *frames = data.split(b"\n\n")
    conversation = Conversation(Contract(protocol=Protocol()))
    conversation.begin(greeting)
    conversation.send("hello", "triage")
    for frame in frames:
        conversation.feed(frame, 0.1)
    return conversation.answer()


def _service(data: bytes) -> object:
    return service_state(run_v2.Service.deserialize(data))


def _revision(data: bytes) -> object:
    return revision_state(run_v2.Revision.deserialize(data))


def _page(data: bytes) -> object:
    next_token(data)
    return as_batch(entries_of([data]))


def _frame(kind: str, sequence: int) -> bytes:
    told = {"type": kind, "data": {"response": "hi"}, "message_id": f"m{sequence}", "run_id": "r"}
    more = {"thread_id": "t", "user_id": "u", "session_id": "s", "sequence": sequence}
    return json.dumps(told | more | {"timestamp": "2026-03-01T12:00:00Z"}).encode()


_PARAMETERS = (b"candidate=chat:3", b"probes.load.sessions=20", b"issue.number=5")
_EVENTS: tuple[Event, ...] = ("run started", "step started", "act intended", "act done")
_LEDGER = (
    b"".join(
        LedgerEntry(time=NOON, event=event, facts={"pid": "1"}).model_dump_json().encode() + b"\n"
        for event in _EVENTS
    ),
)
_WINDOW = Window(start=NOON, end=NOON)
_STATE = RevisionState(name="chat-1", image="chat:1", created=NOON, ready=True)
_EVIDENCE = (
    DeployEvidence(
        window=_WINDOW, service_url="http://s", candidate=_STATE, baseline=_STATE,
        traffic=(TrafficShare(revision="chat-1", percent=100, tag="baseline"),),
        measurements=(
            Measurement(
                metric="deploy.ready", role="candidate", unit="ready", value=1.0, samples=1, window=_WINDOW
            ),
        ),
    ).model_dump_json().encode(),
)  # fmt: skip
_LEASE = Lease(run="run-1", host="laptop", since=NOON, until=NOON).text().encode()
_FRAMES = (
    b"\n\n".join([_frame("connection_ready", 0), *(_frame(kind, at) for at, kind in enumerate(EVENTS, 1))]),
)
_SERVICE = run_v2.Service.serialize(
    run_v2.Service(
        name="projects/p/locations/l/services/s", uri="http://s", generation=3, etag='"1"',
        annotations={"validation-runbook/lease": "{}"},
        latest_ready_revision="projects/p/locations/l/services/s/revisions/s-1",
        template=run_v2.RevisionTemplate(containers=[run_v2.Container(image="i")]),
        traffic_statuses=[run_v2.TrafficTargetStatus(revision="s-1", percent=100, tag="t", uri="http://t")],
    )
)  # fmt: skip
_SUCCEEDED = run_v2.Condition.State.CONDITION_SUCCEEDED
_REVISION = run_v2.Revision.serialize(
    run_v2.Revision(
        name="projects/p/locations/l/services/s/revisions/s-1", create_time=NOON,
        containers=[run_v2.Container(image="i", resources={"limits": {"memory": "512Mi"}})],
        conditions=[run_v2.Condition(type_="Ready", state=_SUCCEEDED, last_transition_time=NOON)],
    )
)  # fmt: skip
_PAGE = ListLogEntriesResponse.serialize(
    ListLogEntriesResponse(
        entries=[
            LogEntry(log_name="projects/p/logs/stdout", text_payload="hello", timestamp=NOON, insert_id="1"),
            LogEntry(log_name="projects/p/logs/requests", json_payload={"message": "m"}, insert_id="2"),
        ],
        next_page_token="more",  # noqa: S106 - it only tells the place
    )
)
