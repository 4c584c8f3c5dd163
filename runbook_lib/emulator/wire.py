"""The table of API methods and its gRPC face; knows messages, not what they mean."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import grpc

from .errors import ApiError

Message = Any
"""A protobuf message; the generated classes carry no static types."""

STATUS_DETAILS_KEY = "grpc-status-details-bin"


@dataclass(frozen=True, kw_only=True)
class Method:
    """One API method, on whatever wire it arrives.

    Attributes:
        service: Full protobuf service name.
        name: Method name.
        request: Protobuf class of the request.
        handle: Turns a request into a response, or raises `ApiError`.
    """

    service: str
    name: str
    request: Any
    handle: Callable[[Message], Awaitable[Message]]


class Api(Protocol):
    """A group of methods that one class implements."""

    def methods(self) -> list[Method]:
        """Return the table of methods."""
        ...


Before = Callable[[Method], Awaitable[None]]
"""Runs ahead of each call and may refuse it: where activity is noted and faults will be switched on."""


def grpc_handlers(methods: Iterable[Method], before: Before) -> list[Any]:
    """Return one generic gRPC handler for each service in the table."""
    ordered = sorted(methods, key=lambda method: method.service)
    return [
        grpc.method_handlers_generic_handler(
            service, {method.name: _unary_handler(method, before) for method in group}
        )
        for service, group in groupby(ordered, key=lambda method: method.service)
    ]


def _unary_handler(method: Method, before: Before) -> Any:
    async def call(request: Message, context: Any) -> Message:
        try:
            await before(method)
            return await method.handle(request)
        except ApiError as error:
            details = ((STATUS_DETAILS_KEY, error.status().SerializeToString()),)
            await context.abort(error.code, error.message, details)

    return grpc.unary_unary_rpc_method_handler(
        call,
        request_deserializer=method.request.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )
