"""google.longrunning.Operations: long-running operations and the API to watch them.

Source: https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.operations
"""

import asyncio
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

from google.longrunning import operations_pb2

from .errors import ApiError, invalid, not_found
from .names import Place, parse_place
from .paging import page_of
from .wire import Message, Method

SERVICE = "google.longrunning.Operations"
DEFAULT_PAGE_SIZE = 100
MAX_WAIT_S = 60.0
_DONE = {"": (True, False), "done:true": (True,), "done:false": (False,)}


@dataclass(kw_only=True)
class Operation:
    """One operation; `finished` is set when `message.done` is."""

    message: Message
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    def update(self, metadata: Message) -> None:
        """Show the resource's present state."""
        self.message.metadata.Pack(metadata)

    def finish(self, result: Message, error: ApiError | None = None) -> None:
        """End the operation with its result, or with an error."""
        self.message.metadata.Pack(result)
        self.message.done = True
        if error is None:
            self.message.response.Pack(result)
        else:
            self.message.error.CopyFrom(error.status())
        self.finished.set()


class OperationsApi:
    """Holds every operation of this emulator's life."""

    def __init__(self) -> None:
        self._operations: dict[str, Operation] = {}

    def start(self, place: Place, metadata: Message) -> Operation:
        """Open an operation."""
        operation = Operation(message=operations_pb2.Operation(name=f"{place}/operations/{uuid.uuid4()}"))
        operation.update(metadata)
        self._operations[operation.message.name] = operation
        return operation

    def methods(self) -> list[Method]:
        """Return the table of methods."""
        rows = (
            ("GetOperation", operations_pb2.GetOperationRequest, self.get),
            ("ListOperations", operations_pb2.ListOperationsRequest, self.list_page),
            ("WaitOperation", operations_pb2.WaitOperationRequest, self.wait),
        )
        return [Method(service=SERVICE, name=n, request=r, handle=h) for n, r, h in rows]

    async def get(self, request: Message) -> Message:
        """Return an operation as it stands."""
        return self._find(request.name).message

    async def list_page(self, request: Message) -> Message:
        """Return one page of a region's operations, those that are done or not where the filter says so."""
        if request.filter not in _DONE:
            raise invalid("filter", f"'{request.filter}' is neither done:true nor done:false")
        place, wanted = parse_place("name", request.name.removesuffix("/operations")), _DONE[request.filter]
        prefix = f"{place}/operations/"
        operations = [o.message for key, o in self._operations.items() if key.startswith(prefix)]
        found = [message for message in operations if message.done in wanted]
        # Unlike elsewhere in Cloud Run, a size below one asks for the default here.
        request.page_size = max(request.page_size, 0)
        page, token = page_of(found, lambda message: message.name, request, DEFAULT_PAGE_SIZE)
        return operations_pb2.ListOperationsResponse(operations=page, next_page_token=token)

    async def wait(self, request: Message) -> Message:
        """Return the operation when it is done, or as it stands after the timeout."""
        operation = self._find(request.name)
        timeout_s = request.timeout.ToMilliseconds() / 1000 if request.HasField("timeout") else MAX_WAIT_S
        with suppress(TimeoutError):
            await asyncio.wait_for(operation.finished.wait(), min(timeout_s, MAX_WAIT_S))
        return operation.message

    def _find(self, name: str) -> Operation:
        if name not in self._operations:
            raise not_found(name)
        return self._operations[name]
