"""Reads a process's output line by line through a pipe of our own."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable

LINE_LIMIT_BYTES = 256 * 1024


class OutputPipe:
    """One output stream of a process.

    asyncio's own pipes will not do: with them `wait()` lasts until every heir of the pipe has closed it, so a
    container whose child lives on would not be seen to exit.

    Attributes:
        child_end: File descriptor to give to the process; close it once the process has it.
    """

    def __init__(self) -> None:
        self._parent_end, self.child_end = os.pipe()

    async def pump(self, take: Callable[[str], None]) -> None:
        """Hand over each line that is not empty until the stream ends."""
        reader = asyncio.StreamReader(limit=LINE_LIMIT_BYTES)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(self._parent_end, "rb", 0)
        )
        try:
            async for line in _lines(reader):
                if line:
                    take(line)
        finally:
            transport.close()

    def abandon(self) -> None:
        """Close both ends of a pipe that no process got."""
        os.close(self._parent_end)
        os.close(self.child_end)


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Yield lines without their ends; a line beyond the limit comes in pieces."""
    while True:
        try:
            raw = await stream.readuntil(b"\n")
        except asyncio.IncompleteReadError as end:
            if end.partial:
                yield end.partial.decode(errors="replace")
            return
        except asyncio.LimitOverrunError as overrun:
            raw = await stream.readexactly(max(1, overrun.consumed))
        yield raw.decode(errors="replace").rstrip("\r\n")
