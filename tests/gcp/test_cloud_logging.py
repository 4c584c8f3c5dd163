"""The Cloud Logging adapter against the emulator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import local
import pandas as pd
import pytest
from cloud import HEALTHY, Staging
from patience import eventually

from runbook_lib.errors import CloudError
from runbook_lib.gcp.channels import channel_to
from runbook_lib.gcp.cloud_logging import CloudLogging
from runbook_lib.plan import Target
from runbook_lib.ports.logs import LogQuery

DTYPES = {
    "time": "datetime64[ns, UTC]", "severity": "str", "revision": "str", "log": "str", "message": "str",
    "stack": "str", "status": "Int64", "latency_s": "float64", "user_agent": "str", "trace": "str",
    "instance": "str", "late_s": "float64", "insert_id": "str",
}  # fmt: skip


def query(revision: str, **fields: object) -> LogQuery:
    """Ask for a revision's last minute and the next one."""
    now = datetime.now(UTC)
    window = {"start": now - timedelta(minutes=1), "end": now + timedelta(minutes=1)}
    return LogQuery(revision=revision, **{**window, **fields})  # type: ignore[arg-type]


def dtypes(table: pd.DataFrame) -> dict[str, str]:
    """Return the columns' types by name."""
    return {name: str(dtype) for name, dtype in table.dtypes.items()}


def visited(staging: Staging) -> tuple[str, pd.DataFrame]:
    """Return a revision that was asked twice, once for nothing, and its log once that is complete."""
    revision = staging.create()
    url = staging.cloud.run.service().url
    local.get(f"{url}/health", headers={"User-Agent": "a-test/1"})
    local.get(f"{url}/nothing-here")
    read = lambda: staging.cloud.logging.read(query(revision))  # noqa: E731
    return revision, eventually(read, lambda table: (table["log"] == "requests").sum() == 2)


def test_an_empty_result_has_all_columns_with_their_types(staging: Staging) -> None:
    table = staging.cloud.logging.read(query("nobody"))

    assert table.empty
    assert dtypes(table) == DTYPES


def test_requests_carry_status_latency_user_agent_and_trace_and_other_entries_none(staging: Staging) -> None:
    revision, table = visited(staging)

    assert dtypes(table) == DTYPES
    assert set(table["revision"]) == {revision}
    requests, others = table[table["log"] == "requests"], table[table["log"] != "requests"]
    assert list(requests["status"]) == [200, 404]
    assert list(requests["severity"]) == ["INFO", "WARNING"]
    assert requests["latency_s"].between(1e-6, 10).all()
    assert requests.iloc[0]["user_agent"] == "a-test/1"
    assert requests["message"].str.fullmatch(r"GET http://127\.0\.0\.1:\d+/(health|nothing-here)").all()
    assert requests["trace"].str.startswith("projects/test-project/traces/").all()
    assert others["status"].isna().all()
    assert others["latency_s"].isna().all()


def test_entries_come_oldest_first_and_say_their_message_whatever_their_payload(staging: Staging) -> None:
    revision, table = visited(staging)

    assert table["time"].is_monotonic_increasing
    assert table["insert_id"].is_unique
    by_log = table.groupby("log")["message"].apply(list).to_dict()
    assert {"starting", "listening"} <= set(by_log["stdout"])  # JSON lines
    assert "Starting new instance." in by_log["system"][0]  # text
    ready = f"Ready condition status changed to True for Revision {revision}."
    assert by_log["system_event"] == [ready]  # an audit entry


def test_another_revision_of_the_service_is_not_read(staging: Staging) -> None:
    first = staging.create()
    second = staging.cloud.run.deploy(HEALTHY, {}, 60)

    table = eventually(lambda: staging.cloud.logging.read(query(second)), lambda table: len(table) > 2)
    assert set(table["revision"]) == {second} != {first}


def test_the_windows_end_is_not_in_it(staging: Staging) -> None:
    revision, table = visited(staging)
    times = [moment.to_pydatetime(warn=False) for moment in table["time"]]
    cut = times[2]

    before = staging.cloud.logging.read(query(revision, end=cut))
    after = staging.cloud.logging.read(query(revision, start=cut))
    assert len(before) + len(after) == len(table)
    assert len(after) > 0
    assert (after["time"] >= cut).all()


def test_the_limit_keeps_the_oldest(staging: Staging) -> None:
    revision, table = visited(staging)

    few = staging.cloud.logging.read(query(revision, limit=3))
    assert list(few["insert_id"]) == list(table["insert_id"][:3])


def test_an_extra_filter_narrows_what_is_read_and_cannot_reach_another_revision(staging: Staging) -> None:
    revision, _ = visited(staging)
    staging.cloud.run.deploy(HEALTHY, {}, 60)

    extra = "httpRequest.status=404 OR severity>=DEFAULT"
    assert set(staging.cloud.logging.read(query(revision, extra_filter=extra))["revision"]) == {revision}
    only = staging.cloud.logging.read(query(revision, extra_filter="httpRequest.status=404"))
    assert list(only["status"]) == [404]


def test_a_hostile_name_is_only_a_name(staging: Staging) -> None:
    revision, _ = visited(staging)

    for hostile in (
        '" OR severity>="DEFAULT',
        '" OR "1"="1',
        "\\",
        '\\" OR severity>=0 OR "',
        "(",
        "\n",
        "'",
    ):
        assert staging.cloud.logging.read(query(revision + hostile)).empty, hostile


def test_a_filter_that_the_api_cannot_read_is_told_in_its_own_words(staging: Staging) -> None:
    with pytest.raises(CloudError) as raised:
        staging.cloud.logging.read(query("x", extra_filter="((("))

    assert str(raised.value).startswith(f"entries.list on {staging.service} answered INVALID_ARGUMENT (")


def test_another_service_is_not_read(staging: Staging) -> None:
    revision, _ = visited(staging)
    stranger = Target.model_validate({**staging.target.model_dump(), "service": "stranger"})

    reader = CloudLogging(stranger, channel_to(staging.endpoints.logging))
    assert reader.read(query(revision)).empty
