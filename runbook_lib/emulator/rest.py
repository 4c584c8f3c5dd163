"""The REST face of the table of API methods: finds the method of a call, and answers in JSON."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc
from aiohttp import web
from google.protobuf import json_format

from .errors import ApiError
from .http_rules import HTTP_RULES, HttpRule
from .transcoding import PathTemplate, to_json, to_request
from .wire import Before, Method

# Source: https://cloud.google.com/apis/design/errors#handling_errors
_HTTP_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


@dataclass(frozen=True, kw_only=True)
class _Route:
    method: Method
    rule: HttpRule
    template: PathTemplate


class RestFace:
    """Serves every method of the table that has an HTTP rule."""

    def __init__(self, methods: Iterable[Method], before: Before) -> None:
        self._before = before
        self._routes = [
            _Route(method=method, rule=rule, template=PathTemplate(rule.template))
            for method in methods
            if (rule := HTTP_RULES.get((method.service, method.name)))
        ]

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one HTTP call; a path that no method has is answered 404."""
        try:
            return await self._answer(request)
        except ApiError as error:
            return error_response(error)

    async def _answer(self, request: web.Request) -> web.Response:
        # A proxied call names its host in the first line; aiohttp leaves that out of `rel_url`.
        path = request.rel_url.raw_path
        for route in self._routes:
            variables = route.template.match(path) if route.rule.verb == request.method else None
            if variables is not None:
                return await self._call(route, variables, request)
        raise ApiError(
            grpc.StatusCode.NOT_FOUND,
            f"The requested URL {request.method} {path} was not found on this server.",
        )

    async def _call(self, route: _Route, variables: dict[str, str], request: web.Request) -> web.Response:
        await self._before(route.method)
        query = list(request.query.items())
        message = to_request(route.method.request(), route.rule, variables, query, await request.read())
        response = await route.method.handle(message)
        return json_response(to_json(response, query))


def json_response(document: dict[str, Any], http_code: int = 200) -> web.Response:
    """Return indented JSON, as Google's APIs write it."""
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return web.Response(text=text, status=http_code, content_type="application/json")


def http_code_of(error: ApiError) -> int:
    """Return the HTTP code that stands for a refusal's status."""
    return _HTTP_CODES.get(error.code, 500)


def error_response(error: ApiError) -> web.Response:
    """Return a refusal with the HTTP code that stands for its status."""
    http_code = http_code_of(error)
    status = json_format.MessageToDict(error.status())
    document = {"code": http_code, "message": error.message, "status": error.code.name}
    if details := status.get("details"):
        document["details"] = details
    return json_response({"error": document}, http_code)
