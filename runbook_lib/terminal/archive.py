"""Show on the terminal what is known of finished runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from runbook_lib.archive.manifest import Verified

_out = Console(highlight=False)


def show_verified(run: str, verified: Verified) -> None:
    """Print what is not as it was sealed, or that everything is."""
    for found in verified.findings:
        line = Text(f"{found.kind:<8}", style="red") + Text(f"{found.file}: {found.detail}")
        _out.print(line, soft_wrap=True)
    if verified.findings:
        _out.print(Text(f"{run} is NOT as it was sealed", style="bold red"), soft_wrap=True)
        return
    chain = f"chained to {verified.links} runs before it; {verified.end}"
    _out.print(Text(f"{run} is as it was sealed: {verified.files} files, {chain}"), soft_wrap=True)
