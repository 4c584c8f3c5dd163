"""Manage one kernel: over private sockets, forked from a warm process where that is possible."""

from __future__ import annotations

import asyncio
import logging
import secrets
import uuid
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.paths import jupyter_runtime_dir
from traitlets import default

from runbook_lib.kernels.forking import can_fork, shared_server
from runbook_lib.kernels.process import ForkedProcess
from runbook_lib.kernels.request import Request

_log = logging.getLogger(__name__)
_LOOK_S = 0.005
_LAUNCHER = "ipykernel_launcher"


class ForkingProvisioner(LocalProvisioner):
    """Forks Python's kernels; starts them as their specification says where it cannot, and all others."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel and return how it is reached."""
        process = _forked(cmd, kwargs)
        if process is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = process  # type: ignore[assignment]  # as much of a Popen as is used
        self.pid = self.pgid = process.pid
        self.cwd = Path(kwargs.get("cwd") or Path.cwd())
        return self.connection_info

    async def wait(self) -> int | None:
        """Wait for the kernel's end; the default looks ten times a second, which six notebooks feel."""
        while await self.poll() is None:
            await asyncio.sleep(_LOOK_S)
        return await super().wait()


class WarmKernelManager(AsyncKernelManager):
    """Starts a kernel that talks over sockets in the user's own folder: no port that others could reach."""

    @default("transport")
    def _private_transport(self) -> str:
        return "ipc"

    @default("ip")
    def _private_sockets(self) -> str:
        """Return the sockets' common path; the default would be one name for all kernels of a folder."""
        folder = Path(jupyter_runtime_dir())
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return str(folder / f"runbook-{secrets.token_hex(6)}")

    async def _async_pre_start_kernel(self, **kwargs: Any) -> tuple[list[str], dict[str, Any]]:
        if self.provisioner is None:
            self.kernel_id = self.kernel_id or str(uuid.uuid4())
            self.provisioner = ForkingProvisioner(
                kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
            )
        return await super()._async_pre_start_kernel(**kwargs)

    pre_start_kernel = _async_pre_start_kernel


def _forked(cmd: list[str], kwargs: dict[str, Any]) -> ForkedProcess | None:
    """Return the forked process, or None where the kernel has to start by itself."""
    env = kwargs["env"]
    if _LAUNCHER not in cmd or not can_fork(env):
        return None
    arguments = cmd[cmd.index(_LAUNCHER) + 1 :]
    request = Request(arguments=arguments, cwd=str(kwargs.get("cwd") or Path.cwd()), env=dict(env))
    try:
        return shared_server().fork(request)
    except OSError as error:
        _log.warning("a kernel starts by itself, which takes longer: %s", error)
        return None
