"""The load's arrivals and records, against scripted services on real sockets."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from aiohttp import web
from scripted_service import PATIENCE_S, ScriptedService, answer, client, greet

from runbook_lib.agent.client import AgentClient
from runbook_lib.agent.conversation import Conversation
from runbook_lib.agent.engine import Engine
from runbook_lib.agent.fast import FastEngine
from runbook_lib.agent.fast.wire import LoopWire
from runbook_lib.agent.hosts import refuse_strangers
from runbook_lib.agent.load.attempts import attempts_of
from runbook_lib.agent.load.shard import make_sessions
from runbook_lib.agent.websockets_engine import WebsocketsEngine
from runbook_lib.arrivals import arrivals
from runbook_lib.errors import RunRefused
from runbook_lib.evidence import Role, Session
from runbook_lib.evidence.load_figures import Figures, LoadWatch, Tallies
from runbook_lib.plan import Probes
from runbook_lib.plan.load import Load
from runbook_lib.ports import LoadJob
from runbook_lib.sessions import Attempt


def job(urls: dict[Role, str], probes: Probes, http_paths: tuple[str, ...] = ()) -> LoadJob:
    """Return the load that the plan's section asks for, in one go."""
    return LoadJob(urls=urls, arrivals=tuple(arrivals(probes.load)), http_paths=http_paths)


async def load(
    urls: dict[Role, str], http_paths: tuple[str, ...] = (), watch: LoadWatch = lambda _: None, **changes: Any
) -> tuple[Session, ...]:
    """Run a small, fast load; it may not hang."""
    section = Load(**{"sessions": 6, "rate_per_s": 60} | changes)
    made_by = client(answer_timeout_s=2, load=section)
    async with asyncio.timeout(PATIENCE_S):
        return await made_by.load(job(urls, Probes(load=section), http_paths), watch)


def attempts(urls: dict[Role, str] | None = None, **section: Any) -> tuple[Attempt, ...]:
    """Return the sessions that a load would make."""
    probes = Probes(load=Load(**{"rate_per_s": 60} | section))
    return attempts_of(job(urls or BOTH, probes), probes)


BOTH: dict[Role, str] = {"candidate": "http://127.0.0.1:1", "baseline": "http://127.0.0.1:2"}


def test_the_arrivals_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    assert attempts() == attempts()
    assert [each.intended_s for each in attempts()] != [each.intended_s for each in attempts(seed=892)]


def test_both_roles_arrive_at_the_rate_with_users_and_marks_of_their_own() -> None:
    made = attempts(sessions=2000, rate_per_s=20)
    assert [each.intended_s for each in made] == sorted(each.intended_s for each in made)
    for role in BOTH:
        mine = [each for each in made if each.role == role]
        assert sorted(each.number for each in mine) == list(range(2000))
        assert 18 < 2000 / mine[-1].intended_s < 22
    assert len({each.user for each in made}) == len({each.mark for each in made}) == 4000


def test_a_pair_arrives_together_and_by_lot_either_of_the_two_is_first() -> None:
    starts = {(each.role, each.number): each.intended_s for each in attempts(sessions=2000)}
    ahead_s = [starts["candidate", number] - starts["baseline", number] for number in range(2000)]
    half_a_mean_gap_s = 1 / 120
    assert {round(abs(gap_s), 6) for gap_s in ahead_s} == {round(half_a_mean_gap_s, 6)}
    assert 900 < sum(gap_s > 0 for gap_s in ahead_s) < 1100


def test_users_who_take_turns_have_marks_of_their_own_for_each_session() -> None:
    made = attempts(sessions=60, users=7)
    assert len({each.user for each in made}) == 14
    assert len({each.mark for each in made}) == 120


async def test_a_user_who_takes_turns_never_has_two_sessions_at_the_same_time() -> None:
    open_now, most = 0, 0

    async def slow(socket: web.WebSocketResponse) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await greet(socket)
        content = (await socket.receive_json())["data"]["content"]
        await asyncio.sleep(0.1)
        await answer(socket, content)
        open_now -= 1

    async with ScriptedService(talk=slow).serving() as service:
        sessions = await load({"candidate": service.url}, sessions=8, rate_per_s=100, users=2)
    assert most == 2
    assert {each.status for each in sessions} == {"answered"}
    assert max(each.lag_s for each in sessions) > 0.2  # waiting for a user is our own lag
    assert [path for path, _ in service.requests].count("/auth/login") == 2


async def test_no_more_sessions_are_open_than_the_plan_allows() -> None:
    async with ScriptedService(handshake_delay_s=0.1).serving() as service:
        sessions = await load({"candidate": service.url}, sessions=6, rate_per_s=1000, max_open=2)
    assert {each.status for each in sessions} == {"answered"}
    assert max(each.lag_s for each in sessions) > 0.2


async def test_what_was_counted_is_told_and_agrees_with_the_records() -> None:
    told: list[Tallies] = []
    async with ScriptedService(handshake_delay_s=0.4).serving() as service:
        sessions = await load({"candidate": service.url}, watch=told.append, sessions=10, rate_per_s=10)
    assert len(told) > 2
    assert [each["candidate"].ended for each in told] == sorted(each["candidate"].ended for each in told)
    last = told[-1]["candidate"]
    assert (last.started, last.ended, last.failed) == (10, 10, 0)
    seen = Figures.of(last)
    slowest = max((each.connect_s or 0) + (each.answer_s or 0) for each in sessions)
    assert seen.p99_s == pytest.approx(slowest, rel=0.01)


async def test_every_session_is_recorded_in_order_of_its_intended_start() -> None:
    async with ScriptedService().serving() as one, ScriptedService().serving() as two:
        sessions = await load({"candidate": one.url, "baseline": two.url}, http_paths=("/api/200",))
    assert [each.status for each in sessions] == ["answered"] * 12
    assert [each.intended_s for each in sessions] == sorted(each.intended_s for each in sessions)
    assert all(each.connect_s is not None and each.answer_s is not None for each in sessions)
    assert all(len(each.events) == 5 and not each.detail for each in sessions)
    paths = [path for path, _ in one.requests]
    assert [paths.count(path) for path in ("/auth/login", "/ws", "/api/200")] == [6, 6, 6]
    assert paths[:6] == ["/auth/login"] * 6  # before the clock


async def test_a_slow_handshake_counts_from_the_intended_start_and_holds_up_nobody_else() -> None:
    async with ScriptedService(handshake_delay_s=0.5).serving() as service:
        began = time.monotonic()
        sessions = await load({"candidate": service.url}, sessions=10)
        took_s = time.monotonic() - began
    assert all(each.connect_s is not None and each.connect_s >= 0.5 for each in sessions)
    assert all(each.connect_s is not None and each.connect_s >= each.lag_s + 0.5 for each in sessions)
    assert took_s < 3  # a closed loop would have needed 5 s


async def test_a_late_client_shows_as_lag_and_inside_the_connection_time() -> None:
    async def block_the_client(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        async for message in socket:
            time.sleep(0.2)  # server and client share this loop, so the client is late for the next session
            await answer(socket, json.loads(message.data)["data"]["content"])

    async with ScriptedService(talk=block_the_client).serving() as service:
        sessions = await load({"candidate": service.url}, sessions=8, rate_per_s=10)
    assert max(each.lag_s for each in sessions) > 0.05
    assert all((each.connect_s or 0) >= each.lag_s for each in sessions)


@pytest.mark.parametrize("http_paths", [(), ("/api/500",)], ids=["visits", "with requests"])
async def test_what_goes_wrong_in_a_session_is_in_its_record_and_the_others_go_on(
    http_paths: tuple[str, ...],
) -> None:
    refusing = ScriptedService(refuse=lambda: web.Response(status=504))
    async with refusing.serving(), ScriptedService().serving() as fine:
        sessions = await load({"candidate": refusing.url, "baseline": fine.url}, http_paths=http_paths)
    by_role = {role: [each for each in sessions if each.role == role] for role in BOTH}
    assert {(each.status, each.detail) for each in by_role["candidate"]} == {
        ("handshake_rejected", "/ws answered 504: Gateway Timeout")
    }
    assert {each.status for each in by_role["baseline"]} == {"answered"}
    detail = 'GET /api/500 answered 500: {"ok": true}' if http_paths else ""
    assert [each.detail for each in by_role["baseline"]] == [detail] * 6


class _Odd(AgentClient):
    def visit(self, *_: Any, **__: Any) -> None:
        nothing: Any = None
        nothing()


async def test_what_is_wrong_as_a_session_begins_ends_the_load() -> None:
    await _ends_by(_Odd, FastEngine(), TypeError)


def _break(*_: object) -> Any:
    raise AttributeError("broken")


def broken(name: str, made_by: type[Engine], *args: Any) -> Engine:
    """Return an engine with a mistake in one method of its conversations."""
    kind = type("_Broken", (Conversation,), {name: _break})
    return type("_Engine", (made_by,), {"conversation": lambda _, *given: kind(*given)})(*args)


@pytest.mark.parametrize("name", ["begin", "send", "feed", "answer"])
@pytest.mark.parametrize(
    "made_by",
    [(FastEngine,), (FastEngine, LoopWire), (WebsocketsEngine,)],
    ids=["fast", "fast on the loop's transports", "websockets"],
)
@pytest.mark.parametrize("http_paths", [(), ("/health",)], ids=["visits", "with requests"])
async def test_what_is_wrong_with_us_ends_the_load_and_is_no_missing_session(
    name: str, made_by: tuple[Any, ...], http_paths: tuple[str, ...]
) -> None:
    await _ends_by(AgentClient, broken(name, *made_by), AttributeError, http_paths)


async def _ends_by(
    kind: type[AgentClient], engine: Engine, error: type[Exception], http_paths: tuple[str, ...] = ()
) -> None:
    async with ScriptedService().serving() as service, asyncio.timeout(PATIENCE_S):
        probes = Probes(load=Load(sessions=4, rate_per_s=60, users=2))
        wanted = job({"candidate": service.url}, probes, http_paths)
        agents = kind(probes, "runbook/odd", {}, engine)
        with pytest.raises(ExceptionGroup) as wrong:
            await make_sessions(agents, wanted, probes, lambda _: None, max_open=9, called_s=time.time())
        engine.close()
    assert wrong.group_contains(error)


async def _no_login() -> web.StreamResponse:
    return web.json_response({"error": "no"}, status=401)


async def test_a_user_who_cannot_log_in_is_recorded_and_makes_no_session() -> None:
    async with ScriptedService(login=_no_login).serving() as service:
        sessions = await load({"candidate": service.url})
    assert {(each.status, each.detail) for each in sessions} == {
        ("login_failed", '/auth/login answered 401: {"error": "no"}')
    }
    assert {path for path, _ in service.requests} == {"/auth/login"}


async def test_a_user_whose_login_fails_is_recorded_for_each_of_a_thousand_turns() -> None:
    async with ScriptedService(login=_no_login).serving() as service:
        sessions = await load({"candidate": service.url}, sessions=1000, rate_per_s=10_000, users=1)
    assert [each.status for each in sessions] == ["login_failed"] * 1000


async def test_marks_of_other_users_in_the_stream_are_named() -> None:
    said: list[str] = []

    async def leak(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        content = (await socket.receive_json())["data"]["content"]
        said.append(content)
        await answer(socket, " ".join(said))

    async with ScriptedService(talk=leak).serving() as service:
        sessions = await load({"candidate": service.url}, sessions=3)
    by_mark = {each.mark: each.foreign_marks for each in sessions}
    assert by_mark == {mark: tuple(said[:place]) for place, mark in enumerate(said)}


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:80", "http://a.localhost"]
)
def test_this_machine_may_be_loaded(url: str) -> None:
    refuse_strangers(url, ())


@pytest.mark.parametrize(
    "url", ["https://svc-abc-uc.a.run.app", "http://10.0.0.1", "http://localhost.evil.example", "http:///x"]
)
def test_another_host_is_refused(url: str) -> None:
    with pytest.raises(RunRefused, match=r"^load on .* is refused: add .* to probes\.load\.allow_hosts"):
        refuse_strangers(url, ("other.example",))


def test_a_host_that_the_plan_allows_may_be_loaded_by_its_tags_too() -> None:
    refuse_strangers("https://svc-abc-uc.a.run.app", ("svc-abc-uc.a.run.app",))
    refuse_strangers("https://candidate---svc-abc-uc.a.run.app", ("svc-abc-uc.a.run.app",))


async def test_a_refused_host_is_sent_nothing() -> None:
    with pytest.raises(RunRefused) as refusal:
        await load({"candidate": "https://svc.example"})
    assert str(refusal.value) == (
        "load on svc.example is refused: add svc.example to probes.load.allow_hosts of the plan"
    )
