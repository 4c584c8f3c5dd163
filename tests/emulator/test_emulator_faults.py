"""Faults are switched on by name, hit the real clients as such, and end."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import local
import pytest
from emulator_cloud import PARENT, PROJECT, Cloud, run_command
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.cloud.logging_v2.types import LogEntry
from patience import eventually

GET_SERVICE = f"{PARENT}/services/absent"


@pytest.fixture
def faults(cloud: Cloud) -> Iterator[str]:
    """The faults' address; all are switched off afterwards."""
    url = f"{cloud.info['http']}/faults"
    yield url
    local.delete(url)


def switch_on(url: str, name: str, **options: Any) -> dict[str, Any]:
    """Switch a fault on."""
    answer = local.post(url, json={"name": name, **options})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def hits(url: str) -> int:
    """Return how often the only fault has hit."""
    (fault,) = local.get(url).json()["faults"]
    return int(fault["hits"])


def write(cloud: Cloud, log: str, count: int) -> None:
    """Write numbered entries, a second apart by their timestamps."""
    entries = [
        LogEntry(
            log_name=f"projects/{PROJECT}/logs/{log}",
            resource={"type": "global"},
            text_payload=f"entry {number}",
            timestamp={"seconds": 1_790_000_000 + number},
        )
        for number in range(count)
    ]
    cloud.logs.write_log_entries(entries=entries)


def texts(cloud: Cloud, log: str) -> list[str]:
    """Return what the log says now, oldest first."""
    return [entry.text_payload for entry in cloud.entries(f'log_id("{log}")')]


@pytest.mark.parametrize(
    ("name", "error", "http_code"),
    [
        ("UNAVAILABLE", exceptions.ServiceUnavailable, 503),
        ("RESOURCE_EXHAUSTED", exceptions.ResourceExhausted, 429),
        ("PERMISSION_DENIED", exceptions.PermissionDenied, 403),
        ("DEADLINE_EXCEEDED", exceptions.DeadlineExceeded, 504),
    ],
)
def test_a_status_reaches_both_wires(
    cloud: Cloud, faults: str, name: str, error: type[Exception], http_code: int
) -> None:
    switch_on(faults, name, method="Services.GetService")
    with pytest.raises(error, match=f"Services.GetService: fault {name} is switched on"):
        cloud.services.get_service(name=GET_SERVICE, retry=None)
    answer = local.get(f"{cloud.info['http']}/v2/{GET_SERVICE}")
    assert (answer.status_code, answer.json()["error"]["status"]) == (http_code, name)
    assert hits(faults) == 2
    assert list(cloud.services.list_services(parent=PARENT, retry=None)) is not None


def test_a_fault_hits_gclouds_paths_as_well(cloud: Cloud, faults: str) -> None:
    switch_on(faults, "UNAVAILABLE", method="Revisions.*")
    path = f"/v1/{PARENT}/revisions"
    assert local.get(cloud.info["http"] + path).status_code == 503
    assert local.get(cloud.info["http"] + path.replace("revisions", "services")).status_code == 200


def test_a_client_that_retries_gets_through_a_fault_that_hits_sometimes(cloud: Cloud, faults: str) -> None:
    switch_on(faults, "UNAVAILABLE", method="Services.ListServices", rate=0.5, seed=1)
    patient = Retry(initial=0.02, maximum=0.05, timeout=30)
    for _ in range(5):
        cloud.services.list_services(parent=PARENT, retry=patient)
    assert hits(faults) >= 1


def test_the_same_seed_hits_the_same_calls(cloud: Cloud, faults: str) -> None:
    def pattern(seed: int) -> str:
        local.delete(faults)
        switch_on(faults, "UNAVAILABLE", method="Services.GetService", rate=0.3, seed=seed)
        answers = [local.get(f"{cloud.info['http']}/v2/{GET_SERVICE}").status_code for _ in range(60)]
        return "".join("x" if code == 503 else "." for code in answers)

    first = pattern(1)
    assert pattern(1) == first != pattern(2)
    assert 8 <= first.count("x") <= 28


def test_a_slow_method_answers_later_and_rightly(cloud: Cloud, faults: str) -> None:
    switch_on(faults, "slow", method="Services.ListServices", delay_s=0.5)
    began = time.monotonic()
    assert local.get(f"{cloud.info['http']}/v2/{PARENT}/services").status_code == 200
    assert time.monotonic() - began >= 0.5


def test_a_fault_ends_after_its_time(cloud: Cloud, faults: str) -> None:
    switch_on(faults, "PERMISSION_DENIED", method="Services.GetService", seconds=0.5)

    def code() -> int:
        return local.get(f"{cloud.info['http']}/v2/{GET_SERVICE}").status_code

    assert code() == 403
    assert eventually(code, lambda seen: seen == 404) == 404
    assert local.get(faults).json() == {"faults": []}


def test_late_entries_come_after_their_delay_with_their_own_timestamps(cloud: Cloud, faults: str) -> None:
    switch_on(faults, "late-logs", delay_s=1.0)
    began = time.monotonic()
    write(cloud, "late", 3)
    assert texts(cloud, "late") == []
    assert eventually(lambda: texts(cloud, "late"), lambda seen: len(seen) == 3) == [
        "entry 0", "entry 1", "entry 2"
    ]  # fmt: skip
    assert time.monotonic() - began >= 1.0
    entry = cloud.entries('log_id("late")')[0]
    assert entry.timestamp.timestamp() == 1_790_000_000


def test_duplicate_entries_say_the_same_under_another_id(cloud: Cloud, faults: str) -> None:
    switch_on(faults, "duplicate-logs")
    write(cloud, "twice", 2)
    found = cloud.entries('log_id("twice")')
    assert sorted(entry.text_payload for entry in found) == ["entry 0", "entry 0", "entry 1", "entry 1"]
    assert len({entry.insert_id for entry in found}) == 4


def test_entries_out_of_order_leave_gaps_that_are_filled_later(cloud: Cloud, faults: str) -> None:
    switch_on(faults, "out-of-order-logs", delay_s=1.5, seed=3)
    write(cloud, "mixed", 20)
    whole = [f"entry {number}" for number in range(20)]

    seen = eventually(lambda: texts(cloud, "mixed"), lambda now: 0 < len(now) < 20)
    assert seen != whole[: len(seen)]
    assert eventually(lambda: texts(cloud, "mixed"), lambda now: len(now) == 20) == whole


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "name"),
        ({"name": "EARTHQUAKE"}, "name"),
        ({"name": "slow", "colour": "red"}, "colour"),
        ({"name": "slow", "rate": 0}, "rate"),
        ({"name": "slow", "rate": 1.1}, "rate"),
        ({"name": "slow", "rate": "often"}, "rate"),
        ({"name": "slow", "rate": True}, "rate"),
        ({"name": "slow", "seconds": -1}, "seconds"),
        ({"name": "slow", "delay_s": 0}, "delay_s"),
        ({"name": "slow", "method": "Services.Explode"}, "method"),
    ],
)
def test_a_wrong_fault_is_refused_with_its_field(faults: str, document: dict[str, Any], field: str) -> None:
    answer = local.post(faults, json=document)
    assert answer.status_code == 400
    (detail,) = answer.json()["error"]["details"]
    assert detail["fieldViolations"][0]["field"] == field


def test_the_commands_switch_faults_on_show_them_and_switch_them_off(cloud: Cloud, faults: str) -> None:
    state_dir = str(Path(cloud.info["log"]).parent)

    def command(*arguments: str) -> tuple[int, str]:
        done = run_command("faults", *arguments, "--state-dir", state_dir)
        return done.returncode, done.stdout + done.stderr

    added = command("add", "UNAVAILABLE", "--method", "Services.*", "--rate", "0.25", "--seconds", "60")
    assert added == (0, "UNAVAILABLE on Services.*, rate 0.25 for 60 s, 0 hits so far\n")
    assert command("add", "slow", "--delay", "0.1")[0] == 0
    assert len(command("list")[1].splitlines()) == 2
    assert command("clear", "slow") == added
    assert command("clear", "slow") == (3, "error: Resource 'faults/slow' was not found.\n")
    assert command("clear") == (0, "no fault is on\n")
    code, text = command("add", "EARTHQUAKE")
    assert (code, text.startswith("error: name: 'EARTHQUAKE' is none of UNAVAILABLE, ")) == (3, True)
