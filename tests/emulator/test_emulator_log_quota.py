"""Reading the log is limited as on Google Cloud, and what is written can be read a little later."""

import json
import time
from collections.abc import Iterator

import local
import pytest
from emulator_cloud import Cloud, connect, run_command
from google.api_core import exceptions
from google.cloud.logging_v2.types import LogEntry
from google.rpc import error_details_pb2
from patience import eventually

from runbook_lib.emulator.errors import ApiError
from runbook_lib.emulator.log_quota import ReadQuota

QUOTA_PAGE = "https://cloud.google.com/logging/quotas#api-limits"
DELAY_S = 0.6


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An emulator with the quota that it has when nobody says otherwise, and a delay that can be seen."""
    state = ("--state-dir", str(tmp_path_factory.mktemp("limited")))
    started = run_command("up", *state, "--json", "--log-delay", str(DELAY_S))
    assert started.returncode == 0, started.stderr
    yield connect(json.loads(started.stdout))
    assert run_command("down", *state).returncode == 0


def read(cloud: Cloud, project: str, **request: object) -> list[LogEntry]:
    """Read the first page of a project's log."""
    call = {"resource_names": [f"projects/{project}"], **request}
    return list(next(cloud.logs.list_log_entries(request=call, retry=None).pages).entries)


@pytest.mark.conformance(QUOTA_PAGE)
@pytest.mark.refusal
def test_the_61st_read_of_a_minute_is_refused_as_google_does_it(limited: Cloud) -> None:
    for _ in range(60):
        read(limited, "busy")
    with pytest.raises(exceptions.ResourceExhausted) as refused:
        read(limited, "busy")

    assert refused.value.message.startswith(
        "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute' of service "
        "'logging.googleapis.com' for consumer 'project_number:"
    )
    info, help_ = refused.value.details
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain) == ("RATE_LIMIT_EXCEEDED", "googleapis.com")
    assert info.metadata["quota_limit"] == "ReadRequestsPerMinutePerProject"
    assert info.metadata["quota_limit_value"] == "60"
    assert help_.links[0].description == "Request a higher quota limit."
    body = {"resourceNames": ["projects/busy"]}
    answer = local.post(f"{limited.info['http']}/v2/entries:list", json=body)
    assert (answer.status_code, answer.json()["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert read(limited, "quiet") == []


def test_a_read_becomes_possible_again_a_minute_after_the_first() -> None:
    now_s = [0.0]
    quota = ReadQuota(2, lambda: now_s[0])
    for second, allowed in ((0, True), (30, True), (59.9, False), (60, True), (89, False), (90, True)):
        now_s[0] = second
        if allowed:
            quota.take("p")
        else:
            with pytest.raises(ApiError):
                quota.take("p")


def test_an_entry_can_be_read_after_its_delay_and_says_when_it_was_received(limited: Cloud) -> None:
    began_s, began = time.time(), time.monotonic()
    limited.logs.write_log_entries(
        entries=[LogEntry(log_name="projects/slow/logs/x", resource={"type": "global"}, text_payload="late")]
    )
    received_by_s = time.time()
    (entry,) = eventually(lambda: read(limited, "slow"))
    assert time.monotonic() - began >= DELAY_S
    assert began_s - 0.001 <= entry.receive_timestamp.timestamp() <= received_by_s
