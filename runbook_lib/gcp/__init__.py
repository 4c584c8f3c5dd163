"""Reach Cloud Run, Cloud Logging and Cloud Monitoring by Google's own clients, or an emulator by the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_lib.errors import PlanError
from runbook_lib.plan import Endpoints, Target

if TYPE_CHECKING:
    from runbook_lib.gcp.cloud_logging import CloudLogging
    from runbook_lib.gcp.cloud_monitoring import CloudMonitoring
    from runbook_lib.gcp.cloud_run import CloudRunService
    from runbook_lib.plan import Analytics
    from runbook_lib.ports import Permissions
    from runbook_lib.ports.logs import LogAnalytics

__all__ = ["Cloud", "connect", "connect_analytics", "connect_permissions"]


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """The three APIs, bound to one service."""

    run: CloudRunService
    logging: CloudLogging
    monitoring: CloudMonitoring


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


def connect_permissions(target: Target, endpoints: Endpoints | None) -> Permissions:
    """Return who tells what the caller may do; stand-ins answer for the project where they answer for Run."""
    from runbook_lib.gcp.channels import channel_to
    from runbook_lib.gcp.permissions import GrantedPermissions

    return GrantedPermissions(target, channel_to(endpoints.run) if endpoints else None)


def connect(target: Target, endpoints: Endpoints | None) -> Cloud:
    """Return adapters for `target`: at `endpoints` without TLS, or on Google Cloud for None.

    Google's clients are imported here, by whoever really needs a cloud: that takes as long as all the rest.
    """
    from runbook_lib.gcp.channels import channel_to
    from runbook_lib.gcp.cloud_logging import CloudLogging
    from runbook_lib.gcp.cloud_monitoring import CloudMonitoring
    from runbook_lib.gcp.cloud_run import CloudRunService

    if endpoints is None:
        return Cloud(
            run=CloudRunService(target), logging=CloudLogging(target), monitoring=CloudMonitoring(target)
        )
    return Cloud(
        run=CloudRunService(target, channel_to(endpoints.run)),
        logging=CloudLogging(target, channel_to(endpoints.logging)),
        monitoring=CloudMonitoring(target, channel_to(endpoints.monitoring)),
    )
