"""A real kernel, asked as JupyterLab asks it: by a front end behind which somebody sits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

LIMIT_S = 90


class AskingKernel:
    """A kernel that runs in a folder, and everything it says.

    Attributes:
        said: What was displayed, updated or returned so far, oldest first.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(cwd=str(folder), env=dict(environment))
        self._client: BlockingKernelClient = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=LIMIT_S)
        self.said: list[dict[str, Any]] = []

    def run(self, code: str, *, somebody: bool = True) -> str:
        """Run a cell and return its status; somebody is there unless told."""
        message = self._client.execute(code, allow_stdin=somebody)
        deadline_s = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline_s:
            reply = self._client.get_shell_msg(timeout=LIMIT_S)
            if reply["parent_header"].get("msg_id") == message:
                return str(reply["content"]["status"])
        raise AssertionError(f"no answer to {code!r} within {LIMIT_S} s")

    def wait_for(self, words: str, mime: str = "text/html") -> str:
        """Wait until an output contains `words` and return it."""
        deadline_s = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline_s:
            found = [text for text in self._texts(mime) if words in text]
            if found:
                return found[-1]
            self._listen()
        raise AssertionError(f"{words!r} was not shown within {LIMIT_S} s, but: {self._texts(mime)}")

    def kill(self) -> None:
        """End the kernel as an out-of-memory killer does."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def _listen(self) -> None:
        try:
            message = self._client.get_iopub_msg(timeout=0.2)
        except Exception:
            return
        if "data" in message["content"]:
            self.said.append(message["content"])

    def _texts(self, mime: str) -> list[str]:
        return [str(content["data"].get(mime, "")) for content in self.said]
