"""The load's arrivals and records, against scripted services on real sockets."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from aiohttp import web
from scripted_service import PATIENCE_S, ScriptedService, answer, client, greet

from runbook_lib.agent.load import refuse_strangers, schedule
from runbook_lib.errors import RunRefused
from runbook_lib.evidence import Role, Session
from runbook_lib.plan import Probes
from runbook_lib.ports import LoadJob


def job(urls: dict[Role, str], **changes: Any) -> LoadJob:
    """Return a small, fast load."""
    fields = {"sessions": 6, "rate_per_s": 60.0, "http_paths": (), "seed": 891} | changes
    return LoadJob(urls=urls, **fields)


async def load(urls: dict[Role, str], **changes: Any) -> tuple[Session, ...]:
    """Run it; it may not hang."""
    async with asyncio.timeout(PATIENCE_S):
        return await client(answer_timeout_s=2).load(job(urls, **changes))


BOTH: dict[Role, str] = {"candidate": "http://127.0.0.1:1", "baseline": "http://127.0.0.1:2"}


def test_the_arrivals_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    once, again = schedule(job(BOTH), Probes()), schedule(job(BOTH), Probes())
    other = schedule(job(BOTH, seed=892), Probes())
    assert once == again
    assert [each.intended_s for each in once] != [each.intended_s for each in other]


def test_both_roles_arrive_at_the_rate_with_users_and_marks_of_their_own() -> None:
    attempts = schedule(job(BOTH, sessions=2000, rate_per_s=20), Probes())
    assert [each.intended_s for each in attempts] == sorted(each.intended_s for each in attempts)
    for role in BOTH:
        mine = [each for each in attempts if each.role == role]
        assert sorted(each.number for each in mine) == list(range(2000))
        assert 18 < 2000 / mine[-1].intended_s < 22
    assert len({each.user for each in attempts}) == len({each.mark for each in attempts}) == 4000


def test_a_pair_arrives_together_and_by_lot_either_of_the_two_is_first() -> None:
    starts = {
        (each.role, each.number): each.intended_s for each in schedule(job(BOTH, sessions=2000), Probes())
    }
    ahead_s = [starts["candidate", number] - starts["baseline", number] for number in range(2000)]
    assert {round(abs(gap_s), 6) for gap_s in ahead_s} == {
        round(1 / 120, 6)
    }  # half a mean gap at 60 a second
    assert 900 < sum(gap_s > 0 for gap_s in ahead_s) < 1100


def test_a_batch_goes_on_with_the_numbers_and_users_after_the_last_one() -> None:
    batches = [schedule(job(BOTH, sessions=50, first=first), Probes()) for first in (0, 50)]
    assert [sorted({each.number for each in batch}) for batch in batches] == [
        list(range(50)),
        list(range(50, 100)),
    ]
    assert not {each.user for each in batches[0]} & {each.user for each in batches[1]}
    assert [each.intended_s for each in batches[0]] != [each.intended_s for each in batches[1]]


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


async def test_what_goes_wrong_in_a_session_is_in_its_record_and_the_others_go_on() -> None:
    refusing = ScriptedService(refuse=lambda: web.Response(status=504))
    async with refusing.serving(), ScriptedService().serving() as fine:
        sessions = await load({"candidate": refusing.url, "baseline": fine.url}, http_paths=("/api/500",))
    by_role = {role: [each for each in sessions if each.role == role] for role in BOTH}
    assert {(each.status, each.detail) for each in by_role["candidate"]} == {
        ("handshake_rejected", "/ws answered 504: Gateway Timeout")
    }
    assert {each.status for each in by_role["baseline"]} == {"answered"}
    assert {each.detail for each in by_role["baseline"]} == {'GET /api/500 answered 500: {"ok": true}'}


async def test_a_user_who_cannot_log_in_is_recorded_and_makes_no_session() -> None:
    async def refuse() -> web.StreamResponse:
        return web.json_response({"error": "no"}, status=401)

    async with ScriptedService(login=refuse).serving() as service:
        sessions = await load({"candidate": service.url})
    assert {(each.status, each.detail) for each in sessions} == {
        ("login_failed", '/auth/login answered 401: {"error": "no"}')
    }
    assert {path for path, _ in service.requests} == {"/auth/login"}


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
        await client().load(job({"candidate": "https://svc.example"}))
    assert str(refusal.value) == (
        "load on svc.example is refused: add svc.example to probes.load.allow_hosts of the plan"
    )
