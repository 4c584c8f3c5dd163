"""Reach a chat service by the plan's protocol: log in, connect, get; implements `ports.Agents`."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pydantic import JsonValue

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.conversation import Conversation
from runbook_lib.agent.engine import Call, Engine, Target
from runbook_lib.agent.hosts import refuse_strangers
from runbook_lib.agent.http import HttpClient, Request
from runbook_lib.agent.template import prepared
from runbook_lib.agent.websockets_engine import WebsocketsEngine
from runbook_lib.dotted import at_path
from runbook_lib.errors import HandshakeRejected, PlanError
from runbook_lib.evidence import Session
from runbook_lib.evidence.load_figures import LoadWatch
from runbook_lib.plan import Probes
from runbook_lib.plan.probes import Auth
from runbook_lib.ports import ChatSession, HttpReply, LoadJob, Offer, VisitEnded
from runbook_lib.redact import redact, secrets_of

_GET_TIMEOUT_S = 10.0
Clean = Callable[[str], str]
Fill = Callable[[Mapping[str, str]], str]
_USABLE_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")


class AgentClient:
    """A client of the chat service, by the plan's protocol.

    Args:
        probes: The plan's section; its protocol, its time limits, its test users.
        user_agent: Sent with every request, so that request logs can tell them from others.
        environment: Where the plan's `password_env` is looked up; its secrets are kept out of all text.
        engine: What carries the sessions.

    Raises:
        PlanError: If the plan names a password that the environment does not hold.
    """

    def __init__(
        self,
        probes: Probes,
        user_agent: str,
        environment: Mapping[str, str],
        engine: Engine | None = None,
    ) -> None:
        self._probes, self._user_agent, self._environment = probes, user_agent, environment
        self._engine = engine or WebsocketsEngine()
        self._password = _password(probes.auth, environment)
        self._secrets = (*secrets_of(environment), *filter(None, [self._password]))
        self._http = HttpClient(user_agent)
        plan = probes.protocol
        self._contract, self._ways = Contract(protocol=plan), dict[str, _Way]()
        self._offer = Offer(path=plan.path, subprotocols=plan.subprotocols, headers=plan.headers)

    async def login(self, base_url: str, user: str, more: Mapping[str, JsonValue] | None = None) -> str:
        """Return a token for `user`; `more` is sent with the credentials.

        Raises:
            HandshakeRejected: If the service refuses or does not answer.
        """
        auth, limit_s = self._probes.auth, self._probes.connect_timeout_s
        password = {"password": self._password} if self._password else {}
        credentials = {"user": user, **password, **(more or {})}
        url = _url(base_url, auth.login_path)
        reply = await self._http.send(
            Request(method="POST", url=url, body=credentials, timeout_s=limit_s, secrets=self._secrets)
        )
        token = at_path(reply.json, auth.token_field)
        if reply.status == 200 and isinstance(token, str) and _USABLE_TOKEN.fullmatch(token):
            return token
        missing = f"no usable {auth.token_field} in the answer"
        raise HandshakeRejected(auth.login_path, reply.status, reply.detail or missing)

    async def connect(self, base_url: str, token: str, offer: Offer | None = None) -> ChatSession:
        """Open a WebSocket session; the greeting, if the plan has one, has been received.

        Args:
            base_url: The service.
            token: Who asks.
            offer: What the handshake says instead of what the plan says.

        Raises:
            HandshakeRejected: If the handshake is refused or the connection is lost in it.
            ProtocolViolation: If it begins with something else than the greeting.
            TurnTimeout: If it takes longer than the plan's `connect_timeout_s`.
        """
        return await self._engine.open(self._call(base_url, token, offer or self._offer))

    def visit(self, base_url: str, token: str, content: str, agent: str, ended: VisitEnded) -> None:
        """Begin to connect, chat once and close; see `ports.Agents`."""
        self._engine.visit(self._call(base_url, token, self._offer), content, agent, ended)

    def _call(self, base_url: str, token: str, offer: Offer) -> Call:
        coded = _base64url(token)
        clean = partial(redact, secrets=(*self._secrets, token, coded) if token else self._secrets)
        return self._way(base_url, offer).call({"token": token, "token_base64url": coded}, clean)

    async def get(self, base_url: str, path: str, token: str = "") -> HttpReply:
        """Make one GET request within 10 s; what goes wrong is told in the reply, not raised."""
        return await self._request("GET", base_url, path, token)

    async def post(self, base_url: str, path: str, token: str = "") -> HttpReply:
        """Make one POST request without a body, e.g. a logout; otherwise as `get`."""
        return await self._request("POST", base_url, path, token)

    async def _request(
        self, method: Literal["GET", "POST"], base_url: str, path: str, token: str
    ) -> HttpReply:
        limit_s = min(_GET_TIMEOUT_S, self._probes.connect_timeout_s)
        secrets = (*self._secrets, *filter(None, [token]))
        return await self._http.send(
            Request(method=method, url=_url(base_url, path), timeout_s=limit_s, token=token, secrets=secrets)
        )

    async def load(self, job: LoadJob, watch: LoadWatch = lambda _: None) -> tuple[Session, ...]:
        """Make all sessions of `job` and return one record each, in order of their intended start.

        Raises:
            RunRefused: If a host is neither this machine nor in the plan's `load.allow_hosts`.
        """
        for url in job.urls.values():
            refuse_strangers(url, self._probes.load.allow_hosts)
        from runbook_lib.agent.load import make_load  # its shares make clients like this one
        from runbook_lib.agent.load.share import ShareOut

        out = ShareOut(probes=self._probes, user_agent=self._user_agent, environment=self._environment)
        return await make_load(out, job, watch)

    def _way(self, base_url: str, offer: Offer) -> _Way:
        """Return the way into a service; the plan's own is kept, since a load takes it again and again."""
        if offer is not self._offer:
            return self._new_way(base_url, offer)
        way = self._ways.get(base_url)
        if way is None:
            way = self._ways[base_url] = self._new_way(base_url, offer)
        return way

    def _new_way(self, base_url: str, offer: Offer) -> _Way:
        url = _url(base_url, offer.path).replace("http", "ws", 1)
        target = Target(
            url=url, path=offer.path.partition("?")[0],
            selects=offer.subprotocols == self._offer.subprotocols,
            user_agent=self._user_agent, greeting=self._probes.protocol.greeting,
            connect_timeout_s=self._probes.connect_timeout_s, answer_timeout_s=self._probes.answer_timeout_s,
            tls=self._http.tls if url.startswith("wss") else None,
        )  # fmt: skip
        return _Way(
            target=target,
            subprotocols=tuple(map(prepared, offer.subprotocols)),
            headers={name: prepared(value) for name, value in offer.headers.items()},
            conversation=partial(self._engine.conversation, self._contract),
        )


@dataclass(frozen=True, kw_only=True)
class _Way:
    """A target, and what is offered there once a token is filled in."""

    target: Target
    subprotocols: tuple[Fill, ...]
    headers: Mapping[str, Fill]
    conversation: Callable[[Clean], Conversation]

    def call(self, values: Mapping[str, str], clean: Clean) -> Call:
        """Return the call of one session."""
        return Call(
            target=self.target,
            subprotocols=tuple([fill(values) for fill in self.subprotocols]),
            headers={name: fill(values) for name, fill in self.headers.items()},
            conversation=self.conversation(clean),
            clean=clean,
        )


def _password(auth: Auth, environment: Mapping[str, str]) -> str:
    if auth.password_env is None:
        return ""
    if not environment.get(auth.password_env):
        problem = f"the environment variable {auth.password_env} is not set; export the test users' password"
        raise PlanError(problem, field="probes.auth.password_env")
    return environment[auth.password_env]


def _base64url(token: str) -> str:
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def _url(base_url: str, path: str) -> str:
    return base_url.rstrip("/") + path
