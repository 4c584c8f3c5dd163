"""Kernels of runs that go on at the same time do not meet."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from jupyter_core.paths import jupyter_runtime_dir

from runbook_lib.headless import PrivateKernelManager


async def answer(manager: PrivateKernelManager, code: str) -> str:
    """Return what a kernel of `manager` prints for `code`."""
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        client.execute(code)
        while True:
            message = await client.get_iopub_msg(timeout=60)
            if message["msg_type"] == "stream":
                return str(message["content"]["text"])
    finally:
        client.stop_channels()


async def test_two_kernels_started_in_one_folder_each_answer_their_own_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    managers = [PrivateKernelManager(kernel_name="python3") for _ in range(2)]
    try:
        await asyncio.gather(*(manager.start_kernel() for manager in managers))
        answers = await asyncio.gather(
            *(answer(manager, f"print({number})") for number, manager in enumerate(managers))
        )
        assert answers == ["0\n", "1\n"]
        assert all(Path(manager.ip).parent == Path(jupyter_runtime_dir()) for manager in managers)
    finally:
        await asyncio.gather(*(manager.shutdown_kernel(now=True) for manager in managers))
    assert list(tmp_path.iterdir()) == []
    assert not [
        left for manager in managers for left in Path(manager.ip).parent.glob(f"{Path(manager.ip).name}*")
    ]
