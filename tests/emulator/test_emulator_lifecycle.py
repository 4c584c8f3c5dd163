"""The emulator starts once, says where it is, ends with all its processes, leaves none when killed."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import local
import psutil
import pytest
from emulator_cloud import Cloud, command, connect, run_command, write_catalogue
from patience import eventually

Start = Callable[..., dict[str, Any]]


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    """A state folder of its own, whose emulator is ended afterwards."""
    folder = tmp_path / "state"
    yield folder
    run_command("down", "--state-dir", str(folder))


@pytest.fixture
def start(state_dir: Path, tmp_path: Path) -> Start:
    """Return a function that runs `up --json` and gives back what it printed."""

    def up(*options: str) -> dict[str, Any]:
        catalogue = str(write_catalogue(tmp_path))
        done = run_command("up", "--state-dir", str(state_dir), "--json", "--catalogue", catalogue, *options)
        assert done.returncode == 0, done.stderr
        info: dict[str, Any] = json.loads(done.stdout)
        return info

    return up


def gone(pid: int) -> bool:
    """Say whether a process has ended (a zombie has)."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def deploy_family(cloud: Cloud) -> list[int]:
    """Deploy a container that has a child of its own; return both process ids."""
    parent = local.get(cloud.deploy("family", image="with-child").uri).json()["pid"]
    children = eventually(lambda: psutil.Process(parent).children())
    return [parent, *(child.pid for child in children)]


def test_up_prints_where_it_answers_and_is_idempotent(start: Start, state_dir: Path) -> None:
    first = start()

    assert first.keys() == {"pid", "grpc", "http", "started", "log"}
    assert json.loads((state_dir / "emulator.json").read_text()) == first
    assert local.get(f"{first['http']}/healthz").status_code == 200
    assert start() == first
    text = run_command("up", "--state-dir", str(state_dir)).stdout
    assert first["grpc"] in text


def test_two_ups_at_once_make_one_emulator(state_dir: Path) -> None:
    argv = command("up", "--state-dir", str(state_dir), "--json")
    racers = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [json.loads(racer.communicate(timeout=60)[0]) for racer in racers]
    assert answers[0] == answers[1]


def test_a_second_serve_in_the_same_folder_is_refused(start: Start, state_dir: Path) -> None:
    start()
    refused = run_command("serve", "--state-dir", str(state_dir))
    assert refused.returncode == 3
    assert f"error: another emulator serves {state_dir}" in refused.stderr


def test_a_stale_state_file_is_noticed(start: Start, state_dir: Path) -> None:
    first = start()
    os.kill(first["pid"], signal.SIGKILL)
    eventually(lambda: gone(first["pid"]))

    assert run_command("status", "--state-dir", str(state_dir)).returncode == 3
    second = start()
    assert second["pid"] != first["pid"]


def test_down_ends_the_emulator_and_every_process(start: Start, state_dir: Path) -> None:
    info = start()
    family = deploy_family(connect(info))
    done = run_command("down", "--state-dir", str(state_dir))

    assert (done.returncode, done.stdout.strip()) == (0, "emulator ended")
    assert all(gone(pid) for pid in [info["pid"], *family])
    assert not (state_dir / "emulator.json").exists()
    again = run_command("down", "--state-dir", str(state_dir))
    assert (again.returncode, again.stdout.strip()) == (0, "no emulator was running")


def test_a_killed_emulator_leaves_no_process(start: Start) -> None:
    info = start()
    family = deploy_family(connect(info))
    assert len(family) == 2
    os.kill(info["pid"], signal.SIGKILL)
    for pid in family:
        eventually(lambda pid=pid: gone(pid), timeout_s=10)


def test_it_ends_by_itself_when_idle(start: Start) -> None:
    info = start("--idle-timeout", "1")
    eventually(lambda: gone(info["pid"]), timeout_s=20)
    assert "idle for 1 s" in Path(info["log"]).read_text()


def test_an_open_connection_keeps_it_up(start: Start) -> None:
    info = start("--idle-timeout", "1.5")
    made = connect(info).deploy("awake")
    assert local.get(f"{made.uri}/sleep/3", timeout=20).text == "awake"
    assert "ends: idle" not in Path(info["log"]).read_text()


def test_status_shows_revisions_traffic_and_processes(start: Start, state_dir: Path) -> None:
    made = connect(start()).deploy("shown")
    pid = local.get(made.uri).json()["pid"]
    document = json.loads(run_command("status", "--state-dir", str(state_dir), "--json").stdout)

    (service,) = document["services"]
    (revision,) = service["revisions"]
    assert service["uri"] == made.uri
    assert (revision["percent"], revision["ready"], revision["pids"]) == (100, True, [pid])
    table = run_command("status", "--state-dir", str(state_dir))
    assert table.returncode == 0
    assert f"  100 %  {revision['name']}" in table.stdout
    assert f"ready, pid {pid}" in table.stdout


def test_env_prints_exports_for_a_shell(start: Start, state_dir: Path) -> None:
    info = start()
    printed = run_command("env", "--state-dir", str(state_dir)).stdout
    script = printed + 'echo "$RUNBOOK_RUN_ENDPOINT $RUNBOOK_LOGGING_ENDPOINT $RUNBOOK_MONITORING_ENDPOINT"'
    shell = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True)
    assert shell.stdout.split() == [info["grpc"]] * 3


@pytest.mark.parametrize("name", ["status", "env"])
def test_without_an_emulator_a_question_cannot_be_answered(name: str, state_dir: Path) -> None:
    asked = run_command(name, "--state-dir", str(state_dir))
    assert asked.returncode == 3
    assert asked.stderr == f"error: no emulator runs for {state_dir}: start one with up\n"


def test_wrong_usage_exits_with_2(state_dir: Path) -> None:
    assert run_command("up", "--sample-period", "0", "--state-dir", str(state_dir)).returncode == 2
    assert run_command("fly").returncode == 2


def test_a_catalogue_that_cannot_be_used_is_named(tmp_path: Path, state_dir: Path) -> None:
    catalogue = tmp_path / "wrong.yaml"
    catalogue.write_text("images: [")
    for name in ("serve", "up"):
        refused = run_command(name, "--state-dir", str(state_dir), "--catalogue", str(catalogue))
        assert refused.returncode == 3
        assert "error: " in refused.stderr
        assert "wrong.yaml" in refused.stderr
