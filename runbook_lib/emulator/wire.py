"""The table of API methods and its gRPC face; knows messages, not what they mean."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol, cast

import grpc

from .errors import ApiError, not_emulated

Message = Any
"""A protobuf message; the generated classes carry no static types."""

STATUS_DETAILS_KEY = "grpc-status-details-bin"

Stream = Callable[[AsyncIterator[Message]], AsyncGenerator[Message, None]]
"""Turns requests into responses as both come."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """One API method, on whatever wire it arrives.

    Attributes:
        service: Full protobuf service name.
        name: Method name.
        request: Protobuf class of the request.
        handle: Turns a request into a response, or raises `ApiError`.
        stream: Set where both sides stream, which gRPC alone can carry; `handle` then refuses.
    """

    service: str
    name: str
    request: Any
    handle: Callable[[Message], Awaitable[Message]]
    stream: Stream | None = None


def stream_method(service: str, name: str, request: Any, stream: Stream) -> Method:
    """Return a method of which both sides stream."""

    async def refuse(_: Message) -> Message:
        raise not_emulated(f"{name} over REST")

    return Method(service=service, name=name, request=request, handle=refuse, stream=stream)


class Api(Protocol):
    """A group of methods that one class implements."""

    def methods(self) -> list[Method]:
        """Return the table of methods."""
        ...


Before = Callable[[Method], Awaitable[None]]
"""Runs ahead of each call and may refuse it: where activity is noted and faults will be switched on."""


StreamEnd = Callable[[Method], float | None]
"""Says after how many seconds a stream is broken off, or None: where a fault drops streams."""


def grpc_handlers(
    methods: Iterable[Method], before: Before, stream_end_s: StreamEnd = lambda _: None
) -> list[Any]:
    """Return one generic gRPC handler for each service in the table."""
    ordered = sorted(methods, key=lambda method: method.service)
    return [
        grpc.method_handlers_generic_handler(
            service, {method.name: _handler(method, before, stream_end_s) for method in group}
        )
        for service, group in groupby(ordered, key=lambda method: method.service)
    ]


def _handler(method: Method, before: Before, stream_end_s: StreamEnd) -> Any:
    if method.stream is None:
        make, answer = grpc.unary_unary_rpc_method_handler, _unary(method, before)
    else:
        make, answer = grpc.stream_stream_rpc_method_handler, _streaming(method, before, stream_end_s)
    return make(
        answer,
        request_deserializer=method.request.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )


def _unary(method: Method, before: Before) -> Callable[[Message, Any], Awaitable[Message]]:
    async def answer(request: Message, context: Any) -> Message:
        try:
            await before(method)
            return await method.handle(request)
        except ApiError as error:
            await _refuse(context, error)

    return answer


def _streaming(
    method: Method, before: Before, stream_end_s: StreamEnd
) -> Callable[[Any, Any], Awaitable[None]]:
    async def answer(requests: AsyncIterator[Message], context: Any) -> None:
        try:
            await before(method)
            await _pump(method, requests, context, stream_end_s(method))
        except ApiError as error:
            await _refuse(context, error)

    return answer


async def _pump(method: Method, requests: AsyncIterator[Message], context: Any, end_s: float | None) -> None:
    responses = cast(Stream, method.stream)(requests)
    try:
        async with asyncio.timeout(end_s) as limit, contextlib.aclosing(responses):
            async for response in responses:
                await context.write(response)
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise ApiError(
            grpc.StatusCode.UNAVAILABLE, f"{method.name}: the stream was dropped after {end_s:g} s"
        ) from error


async def _refuse(context: Any, error: ApiError) -> None:
    details = ((STATUS_DETAILS_KEY, error.status().SerializeToString()),)
    await context.abort(error.code, error.message, details)
