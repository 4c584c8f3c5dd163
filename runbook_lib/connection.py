"""Connect a run to the world: the ports through which its steps reach it, and its lease on the service."""

from __future__ import annotations

import os
from functools import cached_property

from runbook_lib.agent.client import AgentClient
from runbook_lib.clock import Clock
from runbook_lib.commands import LocalCommands
from runbook_lib.folder_lock import here
from runbook_lib.gcp import Cloud, connect_analytics
from runbook_lib.journal import LedgerJournal
from runbook_lib.leasing import ServiceLease
from runbook_lib.local_cloud import endpoints_of, environment_of
from runbook_lib.plan import Endpoints, Plan
from runbook_lib.ports import Permissions, Ports
from runbook_lib.recorded import RecordedCloudRun, RecordedCommands
from runbook_lib.run_folder import RunFolder
from runbook_lib.scribe import LedgerScribe
from runbook_lib.sessions import OUR_AGENT


class Connection:
    """The world as one run reaches it; connected on first use."""

    def __init__(self, folder: RunFolder, plan: Plan, scribe: LedgerScribe, clock: Clock) -> None:
        self._folder, self._plan, self._scribe, self._clock = folder, plan, scribe, clock

    @cached_property
    def ports(self) -> Ports:
        """What steps may reach; every act on the cloud is recorded, and done under the lease."""
        endpoints, cloud = self._endpoints, self._cloud
        environment = {**os.environ, **environment_of(endpoints)}
        act = self._scribe.act
        return Ports(
            cloud_run=self._cloud_run,
            logs=cloud.logging,
            monitoring=cloud.monitoring,
            agents=AgentClient(self._plan.probes, f"{OUR_AGENT}{self._folder.run_id}", os.environ),
            commands=RecordedCommands(LocalCommands(environment, self._clock), act),
            clock=self._clock,
            journal=LedgerJournal(self._folder, self._scribe.fact),
            analytics=connect_analytics(self._plan.target, endpoints, self._plan.logs.analytics),
        )

    @property
    def permissions(self) -> Permissions:
        """What the caller may do; asked once or twice in a run, so not kept."""
        return self._cloud.permissions

    @cached_property
    def lease(self) -> ServiceLease:
        """The right to change the service, which the service itself keeps."""
        service, run_id = self._plan.target.service, self._folder.run_id
        return ServiceLease(self._cloud_run, service, run_id, here()["host"], self._clock)

    @cached_property
    def _cloud_run(self) -> RecordedCloudRun:
        return RecordedCloudRun(self._cloud.run, self._scribe.act, lambda: self.lease.hold())

    @cached_property
    def _cloud(self) -> Cloud:
        return Cloud(self._plan.target, self._endpoints)

    @cached_property
    def _endpoints(self) -> Endpoints | None:
        """Return where this run's cloud is: one for all steps, never a new emulator in the middle."""
        known = self._folder.find_endpoints()
        if known is None and (known := endpoints_of(self._plan.target)):
            self._folder.write_endpoints(known)
        return known
