"""Look at a running sample service from outside, once, and say which promises it breaks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import psutil
from sample_process import PATIENCE_S, Answer, SampleProcess, User, ask, logged_in, receive
from websockets.exceptions import InvalidStatus

FIVE_EVENTS = ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"]
SILENCE_S = 3.5  # an answer that says nothing for so long has stopped; above every SLOW_…_S of these tests
SLOW_S = 2.0  # bound for handshakes and answers, which take some 0.01 and 0.03 s here
START_S = 4.0  # bound from the first log line to listening
GROWTH_BYTES = 8 * 2**20
CHATS_FOR_MEMORY = 8


@dataclass(kw_only=True)
class Survey:
    """Everything that was seen of one process."""

    log: list[dict[str, Any]]
    listening: bool
    health: tuple[int, dict[str, Any]] = (200, {"status": "healthy"})
    api_status: list[int] = field(default_factory=list)
    connect_s: list[float] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    session_holders: dict[str, set[str]] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    growth_bytes: int = 0
    active_after: int = 0


def broken_promises(survey: Survey) -> set[str]:
    """Return the names of the promises that do not hold."""
    return {name for name, holds in PROMISES.items() if not holds(survey)}


def _quiet_log(survey: Survey) -> bool:
    return not [entry for entry in survey.log if entry["severity"] in ("ERROR", "CRITICAL")]


def _started_soon(survey: Survey) -> bool:
    times = {entry["message"]: entry["time"] for entry in survey.log if entry["message"] != "chat received"}
    return not survey.listening or _seconds(times["listening"]) - _seconds(times["starting"]) < START_S


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def _five_in_order(survey: Survey) -> bool:
    full = [answer for answer in survey.answers if _ended_with(answer, "agent_completed")]
    return all([event["type"] for event in answer.events] == FIVE_EVENTS for answer in full)


def _ended_with(answer: Answer, kind: str) -> bool:
    return bool(answer.events) and answer.events[-1]["type"] == kind


def _isolated(survey: Survey) -> bool:
    return not any(
        other.content in json.dumps(answer.events)
        for answer in survey.answers
        for other in survey.answers
        if other.user_id != answer.user_id
    )


PROMISES: Mapping[str, Callable[[Survey], bool]] = {
    "starts": lambda survey: survey.listening,
    "starts soon": _started_soon,
    "logs no error": _quiet_log,
    "is healthy": lambda survey: survey.health[0] == 200 and survey.health[1]["status"] == "healthy",
    "serves the API": lambda survey: set(survey.api_status) <= {200},
    "accepts connections": lambda survey: survey.refused == [],
    "connects soon": lambda survey: max(survey.connect_s, default=0) < SLOW_S,
    "keeps sessions apart": lambda survey: all(len(users) == 1 for users in survey.session_holders.values()),
    "finishes answers": lambda survey: all(answer.complete for answer in survey.answers),
    "answers soon": lambda survey: all(a.took_s < SLOW_S for a in survey.answers if a.complete),
    "starts agents": lambda survey: not any(_ended_with(a, "agent_error") for a in survey.answers),
    "sends all five events": _five_in_order,
    "keeps users apart": _isolated,
    "holds its memory": lambda survey: survey.growth_bytes < GROWTH_BYTES,
    "forgets closed sessions": lambda survey: survey.active_after == 0,
}


async def survey_of(process: SampleProcess) -> Survey:
    """Use every part of the service and note what it does."""
    listening = await asyncio.to_thread(process.entry, "listening")
    survey = Survey(log=process.log, listening=listening is not None)
    if listening is not None:
        ann, ben = [await logged_in(process.url, name) for name in ("ann", "ben")]
        await _alone(survey, ann)
        await _together(survey, ann, ben)
        await _memory(survey, ann, psutil.Process(process.popen.pid))
        await _http(survey, ann)
    return survey


async def _alone(survey: Survey, user: User) -> None:
    """One quiet user: every kind of agent, then reconnections."""
    async with AsyncExitStack() as stack:
        socket = await _connect(survey, stack, user)
        for agent in ("triage", "reporting", "data", "data", "data"):
            await _ask(survey, socket, user, f"{agent} {len(survey.answers)}", agent=agent)
    for _ in range(4):
        async with AsyncExitStack() as stack:
            await _connect(survey, stack, user)


async def _together(survey: Survey, ann: User, ben: User) -> None:
    """Two users at the same time: session ids, each other's words, reconnections."""
    async with AsyncExitStack() as stack:
        sockets = [await _connect(survey, stack, user) for user in (ann, ben)]
        for number in range(3):
            for user, socket in zip((ann, ben), sockets, strict=True):
                await _ask(survey, socket, user, f"question-{number}-of-{user.user_id}")
        for _ in range(6):
            await _connect(survey, stack, ann)


async def _connect(survey: Survey, stack: AsyncExitStack, user: User) -> Any:
    started_s = time.monotonic()
    try:
        socket = await stack.enter_async_context(user.socket())
    except InvalidStatus as error:
        survey.refused.append(error.response.status_code)
        return None
    survey.connect_s.append(time.monotonic() - started_s)
    ready = await receive(socket)
    holders = survey.session_holders.setdefault(ready["data"]["session_id"], set())
    holders.add(user.user_id)
    return socket


async def _ask(survey: Survey, socket: Any, user: User, content: str, **data: object) -> None:
    if survey.answers and not survey.answers[-1].complete:
        return  # one answer that never ends is seen; each further one would cost SILENCE_S
    survey.answers.append(await ask(socket, user, content, within_s=SILENCE_S, **data))


async def _memory(survey: Survey, user: User, process: psutil.Process) -> None:
    async with AsyncExitStack() as stack:
        socket = await _connect(survey, stack, user)
        before_bytes = process.memory_info().rss
        for number in range(CHATS_FOR_MEMORY):
            await _ask(survey, socket, user, f"memory {number}")
        survey.growth_bytes = process.memory_info().rss - before_bytes


async def _http(survey: Survey, user: User) -> None:
    headers = {"Authorization": f"Bearer {user.token}"}
    async with httpx.AsyncClient(base_url=user.url, headers=headers, timeout=PATIENCE_S) as client:
        survey.api_status = [(await client.get("/api/agents")).status_code for _ in range(8)]
        answer = await client.get("/health")
        survey.health = (answer.status_code, answer.json())
        survey.active_after = await settled_sessions(client, within_s=1.5)


async def settled_sessions(client: httpx.AsyncClient, within_s: float) -> int:
    """Return how many sessions stay counted after all were closed."""
    deadline_s = time.monotonic() + within_s
    while True:
        active = int((await client.get("/health")).json()["sessions"]["active"])
        if active == 0 or time.monotonic() > deadline_s:
            return active
        await asyncio.sleep(0.05)
