"""Many services in one call: each by a run of its own, and no bad end is lost among the good ones."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from distributed import Client, LocalCluster
from small_plan import PLAN, WritePlan

from runbook_lib.errors import PlanError
from runbook_lib.fleet import Task, Validated, fork_server_for_runs, run_fleet, tasks_of, validate, worst
from runbook_lib.kernels.forking import ForkServer

ROOT = Path(__file__).parents[1]


def task(folder: Path, name: str, *arguments: str) -> Task:
    return Task(
        plan="plan.yaml", service=name, arguments=arguments, root=str(ROOT), folder=str(folder), name=name
    )


def validated(exit_code: int) -> Validated:
    return Validated(plan="plan.yaml", service="chat", exit_code=exit_code, seconds=1)


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    started = fork_server_for_runs()
    assert started is not None
    yield started
    started.end()


@pytest.mark.parametrize("forked", [True, False], ids=["forked", "by themselves"])
def test_a_run_that_leaves_no_result_could_not_look_and_its_last_words_are_told(
    forked: bool, tmp_path: Path, server: ForkServer
) -> None:
    tasks = [task(tmp_path, "one", "version"), task(tmp_path, "two", "lint", "no-such.yaml")]
    told: list[Validated] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        do = partial(validate, server=server if forked else None)
        ended = run_fleet(tasks, pool, do, told.append)
    assert [each.service for each in ended] == ["one", "two"]
    assert {each.exit_code for each in ended} == {3}
    assert all("No such option" in Path(each.output).read_text() for each in ended)
    assert {each.service for each in told} == {"one", "two"}
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert [each["exit_code"] for each in summary] == [3, 3]


def test_a_dask_cluster_runs_the_same_tasks(tmp_path: Path) -> None:
    tasks = [task(tmp_path, "one", "version")]
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        (ended,) = run_fleet(tasks, client.get_executor(), validate, lambda _: None)
    assert (ended.exit_code, ended.service) == (3, "one")
    assert Path(ended.output).is_file()


@pytest.mark.parametrize(
    ("codes", "code"),
    [((0, 0), 0), ((0, 10), 10), ((20, 10, 0), 20), ((20, 3), 3), ((3, 130, 0), 130)],
)
def test_the_exit_code_is_the_worst(codes: tuple[int, ...], code: int) -> None:
    assert worst([validated(each) for each in codes]) == code


def test_two_plans_for_one_service_are_refused_before_anything_starts(
    plan_file: WritePlan, tmp_path: Path
) -> None:
    one, other = plan_file(name="one.yaml"), plan_file(name="other.yaml")
    with pytest.raises(PlanError) as refused:
        tasks_of([one, other], {}, ROOT, tmp_path / "fleet")
    assert str(refused.value) == (
        f"{other}: target.service: validates chat, as {one} does: one run of a service at a time"
    )
    assert not (tmp_path / "fleet").exists()


def run_all(*arguments: str) -> list[str | Path]:
    return [Path(sys.executable).parent / "runbook", "run-all", *arguments]


def test_the_matrix_for_ci_names_every_plan_and_runs_none(plan_file: WritePlan) -> None:
    one, other = plan_file(name="one.yaml"), plan_file(PLAN.replace("chat", "talk"), "other.yaml")
    shown = subprocess.run(
        run_all("--matrix", str(one), str(other)), cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    entries = json.loads(shown)["include"]
    assert [(ROOT / each["plan"]).resolve() for each in entries] == [one, other]
    assert [each["service"] for each in entries] == ["chat", "talk"]


def test_ctrl_c_ends_every_run_in_order(plan_file: WritePlan, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        endpoints = f"endpoints: {{run: '{address}', logging: '{address}', monitoring: '{address}'}}"
        plan = PLAN.replace("service: chat}", f"service: chat, {endpoints}}}")
        file = plan_file(f"{plan}report: {{folder: {tmp_path / 'out'}}}\n")
        process = subprocess.Popen(run_all(str(file)), cwd=ROOT, stdout=subprocess.DEVNULL)
        silent.accept()[0].close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    (ledger,) = (tmp_path / "out").glob("*/ledger.jsonl")
    last = json.loads(ledger.read_text().splitlines()[-1])
    assert (last["event"], last["exit_code"]) == ("run ended", 130)
