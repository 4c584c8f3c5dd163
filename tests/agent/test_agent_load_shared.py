"""A load that processes or a cluster share: the same sessions as in one, and none is silently missing."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from aiohttp import web
from distributed import LocalCluster
from scripted_service import TOKEN, ScriptedService, answer, greet

from runbook_lib.agent.client import AgentClient
from runbook_lib.arrivals import arrivals
from runbook_lib.errors import PlanError
from runbook_lib.evidence import Role, Session
from runbook_lib.evidence.load_figures import LoadWatch, Tallies
from runbook_lib.plan import Auth, Probes
from runbook_lib.plan.load import Load
from runbook_lib.ports import LoadJob

PATIENCE_S = 60
PASSWORD = "a-password-of-the-test"  # noqa: S105
PAIRS = 20


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A Dask cluster of two workers, each a process; they have the password in their environment."""
    os.environ["TEST_PASSWORD"] = PASSWORD
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster
    del os.environ["TEST_PASSWORD"]


async def talk_slowly(socket: web.WebSocketResponse) -> None:
    """Answer after a while."""
    await greet(socket)
    content = (await socket.receive_json())["data"]["content"]
    await asyncio.sleep(0.2)
    await answer(socket, content)
    await socket.receive()


async def load(
    urls: dict[Role, str],
    watch: LoadWatch = lambda _: None,
    variable: str = "TEST_PASSWORD",
    limit_s: float = 20,
    **section: Any,
) -> tuple[Session, ...]:
    """Run the load; it may not hang."""
    plan = Probes(
        load=Load(**{"sessions": PAIRS, "rate_per_s": 40} | section),
        auth=Auth(password_env=variable),
        connect_timeout_s=limit_s,
    )
    job = LoadJob(urls=urls, arrivals=tuple(arrivals(plan.load)))
    client = AgentClient(plan, "runbook/shared", {variable: PASSWORD})
    async with asyncio.timeout(PATIENCE_S):
        return await client.load(job, watch)


def once(found: Callable[[], list[psutil.Process]], seen: list[str]) -> LoadWatch:
    """Return a watch that kills the first of the processes as soon as sessions have ended in it."""

    def watch(tallies: Tallies) -> None:
        if not seen and sum(tally.ended for tally in tallies.values()) > 0:
            seen.extend(" ".join(each.cmdline()) for each in found())
            found()[0].kill()

    return watch


def makers() -> list[psutil.Process]:
    """Return the processes below this one that are making sessions: they have sockets open."""
    below = psutil.Process().children(recursive=True)
    return [each for each in below if len(each.net_connections("tcp")) > 1]


async def test_processes_make_what_one_makes_and_the_figures_add_up() -> None:
    told: list[Tallies] = []
    async with ScriptedService(talk=talk_slowly).serving() as service:
        urls: dict[Role, str] = {"candidate": service.url, "baseline": service.url}
        alone = await load(urls, processes=1)
        shared = await load(urls, told.append, processes=2, users=5)
    assert {each.status for each in (*alone, *shared)} == {"answered"}
    assert {(each.role, each.number) for each in alone} == {(each.role, each.number) for each in shared}
    assert [each.intended_s for each in shared] == sorted(each.intended_s for each in shared)
    assert {role: tally.ended for role, tally in told[-1].items()} == {"candidate": PAIRS, "baseline": PAIRS}
    assert len({each.user for each in shared}) == 10
    logins = [path for path, _ in service.requests].count("/auth/login")
    assert logins == 2 * PAIRS + 10  # a user is in one share only


async def test_the_share_of_a_process_that_dies_is_made_again_and_no_secret_is_in_a_process_list() -> None:
    seen: list[str] = []
    async with ScriptedService(talk=talk_slowly).serving() as service:
        sessions = await load({"candidate": service.url}, once(makers, seen), processes=2)
    assert sorted(each.number for each in sessions) == list(range(PAIRS))
    assert {each.status for each in sessions} == {"answered"}
    assert len(seen) == 2
    assert not [line for line in seen if PASSWORD in line or TOKEN in line]


async def test_shares_whose_processes_die_again_and_again_are_missing_and_nothing_hangs() -> None:
    async def kill_all() -> None:
        while True:
            await asyncio.sleep(0.02)
            with contextlib.suppress(psutil.Error):
                for each in makers():
                    each.kill()

    async with ScriptedService(talk=talk_slowly).serving() as service:
        killing = asyncio.create_task(kill_all())
        sessions = await load({"candidate": service.url}, processes=2)
        killing.cancel()
    assert sessions == ()


async def test_a_load_that_is_cancelled_leaves_no_process() -> None:
    async with ScriptedService(talk=talk_slowly).serving() as service:
        loading = asyncio.create_task(load({"candidate": service.url}, processes=2))
        while not makers():
            await asyncio.sleep(0.05)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
    assert makers() == []


async def test_a_cluster_makes_what_one_process_makes_and_loses_nothing_with_a_worker(
    cluster: LocalCluster,
) -> None:
    seen: list[str] = []
    told: list[Tallies] = []

    def workers() -> list[psutil.Process]:
        return [psutil.Process(each.pid) for each in cluster.workers.values()]

    def watch(tallies: Tallies) -> None:
        told.append(tallies)
        once(workers, seen)(tallies)

    async with ScriptedService(talk=talk_slowly).serving() as service:
        urls: dict[Role, str] = {"candidate": service.url, "baseline": service.url}
        sessions = await load(urls, watch, scheduler=cluster.scheduler_address)
    assert seen  # a worker was killed
    assert not [line for line in seen if PASSWORD in line or TOKEN in line]
    assert {(each.role, each.number) for each in sessions} == {(r, n) for r in urls for n in range(PAIRS)}
    assert {each.status for each in sessions} == {"answered"}
    assert {role: tally.ended for role, tally in told[-1].items()} == {"candidate": PAIRS, "baseline": PAIRS}


async def test_a_worker_without_the_password_says_so(cluster: LocalCluster) -> None:
    with pytest.raises(PlanError) as problem:
        await load({"candidate": "http://127.0.0.1:1"}, scheduler=cluster.scheduler_address, variable="OTHER")
    assert str(problem.value) == (
        "probes.load.scheduler: a worker cannot make its share: probes.auth.password_env: the environment "
        "variable OTHER is not set; export the test users' password"
    )


async def test_a_scheduler_that_nobody_runs_is_named() -> None:
    with pytest.raises(PlanError) as problem:
        await load({"candidate": "http://127.0.0.1:1"}, scheduler="tcp://127.0.0.1:1", limit_s=1)
    assert str(problem.value) == "probes.load.scheduler: no scheduler answers at tcp://127.0.0.1:1"
