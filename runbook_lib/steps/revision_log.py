"""Ask the request log which revision answered at a URL, where the service itself does not say."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from runbook_lib.evidence import Window
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.ports.logs import LogQuery
from runbook_lib.steps.prober import Seen

_MOST_REQUESTS = 1000


def leaves_it_open(seen: Seen) -> bool:
    """Say whether there were answers, and none of them named the revision that it came from."""
    told = any(each.revision for each in seen.polls) or any(each.revision for each in seen.sessions)
    return not told and any(each.status for each in seen.polls)


def logged_requests(plan: Plan, url: str, revision: str, window: Window, ports: Ports) -> int:
    """Return how many polls of `url` are in the request log of `revision`; waits until the log is complete.

    Raises:
        CloudError: If Cloud Logging does not answer.
    """
    ports.clock.sleep(plan.logs.settle_s)
    skew = timedelta(seconds=plan.logs.clock_skew_s)
    address = urlsplit(url).netloc + plan.probes.health.path
    query = LogQuery(
        revision=revision, start=window.start - skew, end=window.end + skew, limit=_MOST_REQUESTS,
        extra_filter=f'httpRequest.requestUrl:"{address}"',
    )  # fmt: skip
    entries = ports.logs.read(query)
    return int((entries["log"] == "requests").sum())
