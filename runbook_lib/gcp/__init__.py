"""Reach Cloud Run, Cloud Logging and Cloud Monitoring by Google's own clients, or an emulator by the same."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

from runbook_lib.errors import PlanError
from runbook_lib.plan import Endpoints, Target

if TYPE_CHECKING:
    from grpc import Channel

    from runbook_lib.gcp.cloud_logging import CloudLogging
    from runbook_lib.gcp.cloud_monitoring import CloudMonitoring
    from runbook_lib.gcp.cloud_run import CloudRunService
    from runbook_lib.plan import Analytics
    from runbook_lib.ports import Permissions
    from runbook_lib.ports.logs import LogAnalytics

__all__ = ["Cloud", "connect_analytics"]


class Cloud:
    """The three APIs, bound to one service: at `endpoints` without TLS, or on Google Cloud for None.

    Each of Google's clients is imported when it is first asked for: that takes as long as all the rest.
    """

    def __init__(self, target: Target, endpoints: Endpoints | None) -> None:
        self._target, self._endpoints = target, endpoints

    @cached_property
    def run(self) -> CloudRunService:
        """Cloud Run."""
        from runbook_lib.gcp.cloud_run import CloudRunService

        return CloudRunService(self._target, self._channel("run"))

    @cached_property
    def logging(self) -> CloudLogging:
        """Cloud Logging."""
        from runbook_lib.gcp.cloud_logging import CloudLogging

        return CloudLogging(self._target, self._channel("logging"))

    @cached_property
    def monitoring(self) -> CloudMonitoring:
        """Cloud Monitoring."""
        from runbook_lib.gcp.cloud_monitoring import CloudMonitoring

        return CloudMonitoring(self._target, self._channel("monitoring"))

    @property
    def permissions(self) -> Permissions:
        """What the caller may do; stand-ins answer for the project where they answer for Cloud Run."""
        from runbook_lib.gcp.permissions import GrantedPermissions

        return GrantedPermissions(self._target, self._channel("run"))

    def _channel(self, api: Literal["run", "logging", "monitoring"]) -> Channel | None:
        from runbook_lib.gcp.channels import channel_to

        return channel_to(getattr(self._endpoints, api)) if self._endpoints else None


def connect_analytics(
    target: Target, endpoints: Endpoints | None, settings: Analytics | None
) -> LogAnalytics | None:
    """Return the adapter for the plan's linked dataset, or None where it has none.

    Raises:
        PlanError: If the client library or the endpoint is missing.
    """
    if settings is None:
        return None
    if endpoints and not endpoints.bigquery:
        raise PlanError("logs.analytics needs an address", field="target.endpoints.bigquery")
    try:
        from runbook_lib.gcp.log_analytics import BigQueryLogs
    except ImportError as error:
        extra = "pip install 'staging-validation-runbook[analytics]'"
        raise PlanError(f"google-cloud-bigquery is missing: {extra}", field="logs.analytics") from error
    return BigQueryLogs(target, settings, endpoints.bigquery if endpoints else None)
