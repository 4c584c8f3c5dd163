"""Make single HTTP requests that end in time and stay small, whatever the server does."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import httpx
from pydantic import JsonValue

from runbook_lib.ports import HttpReply
from runbook_lib.redact import redact

MAX_BODY_BYTES = 1024 * 1024
_LONGEST_DETAIL = 200


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request. `secrets` never appear in what comes of it."""

    method: Literal["GET", "POST"]
    url: str
    timeout_s: float
    token: str = ""
    body: Mapping[str, JsonValue] | None = None
    secrets: Sequence[str] = ()


class HttpClient:
    """Makes each request on a connection of its own, as separate users would; ignores proxy variables."""

    def __init__(self, user_agent: str) -> None:
        self._user_agent = user_agent

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """The certificates to trust; loading them takes long enough to do it once."""
        return httpx.create_ssl_context()

    async def send(self, request: Request) -> HttpReply:
        """Make one request; what goes wrong is told in the reply, not raised."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        status, body, detail = None, b"", ""
        try:
            async with asyncio.timeout(request.timeout_s):
                status, body = await self._exchange(request)
        except TimeoutError:
            detail = f"no answer within {request.timeout_s:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            detail = f"{type(error).__name__}: {error}"
        if status is not None and status >= 400:
            detail = body.decode(errors="replace")
        clean = redact(detail, request.secrets)[:_LONGEST_DETAIL].strip()
        return HttpReply(status=status, json=_decoded(body), elapsed_s=loop.time() - started, detail=clean)

    async def _exchange(self, request: Request) -> tuple[int, bytes]:
        headers = {"User-Agent": self._user_agent, "Accept-Encoding": "identity"}
        if request.token:
            headers["Authorization"] = f"Bearer {request.token}"
        async with (
            httpx.AsyncClient(verify=self.tls, trust_env=False, timeout=None) as client,  # noqa: S113 - above
            client.stream(request.method, request.url, headers=headers, json=request.body) as response,
        ):
            body = b""
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise ValueError(f"the answer is larger than {MAX_BODY_BYTES} bytes")
            return response.status_code, body


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
