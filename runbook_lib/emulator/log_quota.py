"""The read quota of Cloud Logging: so many list calls a minute for each project.

Source: https://cloud.google.com/logging/quotas#api-limits
"""

import hashlib
from collections import defaultdict, deque
from collections.abc import Callable

import grpc
from google.rpc import error_details_pb2

from .errors import ApiError

DEFAULT_PER_MINUTE = 60
_WINDOW_S = 60.0
_HELP_URL = "https://cloud.google.com/docs/quotas/help/request_increase"


class ReadQuota:
    """Counts the calls of the last 60 seconds.

    Google does not say how it counts a minute. A sliding one is the strictest reading: no 60 seconds,
    wherever they begin, hold more calls than the quota. Who keeps to it keeps to any other reading as well.

    Args:
        per_minute: Calls allowed in 60 s for each project; 0 for any number.
        now_s: A clock that only runs forward, in seconds.
    """

    def __init__(self, per_minute: int, now_s: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._now_s = now_s
        self._calls_s: defaultdict[str, deque[float]] = defaultdict(deque)

    def take(self, project: str) -> None:
        """Count a call.

        Raises:
            ApiError: RESOURCE_EXHAUSTED when the project's minute is used up; a refused call costs nothing.
        """
        if not self._per_minute:
            return
        now_s, calls_s = self._now_s(), self._calls_s[project]
        while calls_s and now_s - calls_s[0] >= _WINDOW_S:
            calls_s.popleft()
        if len(calls_s) >= self._per_minute:
            raise self._exceeded(project)
        calls_s.append(now_s)

    def _exceeded(self, project: str) -> ApiError:
        number = _project_number(project)
        info = error_details_pb2.ErrorInfo(
            reason="RATE_LIMIT_EXCEEDED",
            domain="googleapis.com",
            metadata={
                "consumer": f"projects/{number}",
                "quota_limit": "ReadRequestsPerMinutePerProject",
                "quota_limit_value": str(self._per_minute),
                "quota_location": "global",
                "quota_metric": "logging.googleapis.com/read_requests",
                "quota_unit": "1/min/{project}",
                "service": "logging.googleapis.com",
            },
        )
        link = error_details_pb2.Help.Link(description="Request a higher quota limit.", url=_HELP_URL)
        return ApiError(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute' of service "
            f"'logging.googleapis.com' for consumer 'project_number:{number}'.",
            details=(info, error_details_pb2.Help(links=[link])),
        )


def _project_number(project: str) -> int:
    """Return a number that is always the same for a project, and looks like a real one."""
    return 10**11 + int(hashlib.sha256(project.encode()).hexdigest(), 16) % (9 * 10**11)
