"""Serve `/ws`: check the token, hold the session, take chats in and send events out."""

from __future__ import annotations

import asyncio
import time

from aiohttp import WSMsgType, web

from . import logs
from .agents import UserExecutionContext
from .answers import answer
from .auth import SUBPROTOCOL, token_in
from .event_faults import bent
from .events import BadMessage, Chat, Event, connection_ready, read_chat, refusal
from .service import SERVICE, Service

MAX_MESSAGE_BYTES = 64 * 1024
MAX_WAITING_CHATS = 16  # above this, a connection is not read until an answer is done
CLOSE_TIMEOUT_S = 0.5
LOST = 1006
LOCKED_S = 3.0


async def serve_websocket(request: web.Request) -> web.StreamResponse:
    """Answer the handshake and stay until either side closes; `?session_id=` resumes one's own session."""
    service = request.app[SERVICE]
    user_id = _who(service, request)
    wanted = request.query.get("session_id", "")
    if wanted and not service.sessions.may_resume(user_id, wanted):
        raise web.HTTPNotFound(text="you have no such session")
    await _handshake_defects(service, user_id)
    # No compression: it costs more time and memory than these short messages give back.
    socket = web.WebSocketResponse(
        protocols=(SUBPROTOCOL,), max_msg_size=MAX_MESSAGE_BYTES, compress=False, timeout=CLOSE_TIMEOUT_S
    )
    await socket.prepare(request)
    try:
        with service.sessions.session(user_id, wanted) as context:
            service.sockets[socket] = context
            await _hold(service, socket, context, request.headers.get("User-Agent", ""))
    except ConnectionError:
        logs.info("session lost", user_id=user_id)
    finally:
        service.sockets.pop(socket, None)
        _end(service, socket, user_id)
    return socket


def _who(service: Service, request: web.Request) -> str:
    faults, headers = service.defects.faults, request.headers
    token = token_in(headers, needs_marker="token-alone" not in faults)
    marked = SUBPROTOCOL in headers.get("Sec-WebSocket-Protocol", "")
    if token is None and ("marker-alone" if marked else "no-credentials") in faults:
        return "user-anonymous"
    return service.tokens.user_id(token)


def _end(service: Service, socket: web.WebSocketResponse, user_id: str) -> None:
    if socket.close_code in (None, LOST):
        service.sessions.lost()
    if "reconnect" in service.defects.faults:
        service.locked_until_s[user_id] = time.monotonic() + LOCKED_S


async def _handshake_defects(service: Service, user_id: str) -> None:
    if service.locked_until_s.get(user_id, 0.0) > time.monotonic():
        raise web.HTTPConflict(text="the session lock of this user is not released yet")
    if service.slow_handshake.due():
        await asyncio.sleep(service.defects.slow_handshake_s)
    if service.sessions.others(user_id) and service.lock_timeout.due():
        await asyncio.sleep(service.defects.lock_timeout_s)
        logs.warning("session lock not acquired", user_id=user_id, waited_s=service.defects.lock_timeout_s)
        raise web.HTTPGatewayTimeout(text="session lock not acquired in time")


async def _hold(
    service: Service, socket: web.WebSocketResponse, context: UserExecutionContext, user_agent: str
) -> None:
    address = {"user_id": context.user_id, "session_id": context.session_id}
    logs.info("session opened", **address, user_agent=user_agent)
    await socket.send_json(connection_ready(context, service.revision))
    chats: asyncio.Queue[Chat] = asyncio.Queue(MAX_WAITING_CHATS)
    worker = asyncio.create_task(_answer_all(service, socket, context, chats))
    try:
        await _read_all(socket, chats)
    finally:
        worker.cancel()  # nobody is left to hear the rest
        await asyncio.wait([worker])


async def _read_all(socket: web.WebSocketResponse, chats: asyncio.Queue[Chat]) -> None:
    async for message in socket:
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            continue
        try:
            chat = read_chat(message.data)
        except BadMessage as reason:
            await socket.send_json(refusal(reason))
        else:
            await chats.put(chat)


async def _answer_all(
    service: Service,
    socket: web.WebSocketResponse,
    context: UserExecutionContext,
    chats: asyncio.Queue[Chat],
) -> None:
    try:
        while True:
            chat = await chats.get()
            if leftover := service.leftovers.pop(context.user_id, None):
                await socket.send_json(leftover)
            async for event in bent(service, context.user_id, answer(service, context, chat)):
                await _send(service, socket, context, event)
                _keep_rest(service, context, chat, event)
    except ConnectionError:
        return  # the reader sees the close, too, and ends the session
    except Exception:
        logs.failure("answering failed", user_id=context.user_id, session_id=context.session_id)
        await socket.close(code=1011, message=b"internal error")


async def _send(
    service: Service, socket: web.WebSocketResponse, context: UserExecutionContext, event: Event
) -> None:
    await socket.send_json(event)
    if "same-user-twice" in service.defects.faults:
        for other, owner in list(service.sockets.items()):
            if other is not socket and owner.user_id == context.user_id:
                await other.send_json(event)


def _keep_rest(service: Service, context: UserExecutionContext, chat: Chat, event: Event) -> None:
    """Leave the end of an answer, as long as it was not sent, for the user's next session."""
    if "drop-in-mid-stream" not in service.defects.faults:
        return
    service.leftovers[context.user_id] = {
        **event, "type": "agent_completed", "data": {"response": chat.content}, "sequence": 5,
    }  # fmt: skip
    if event["type"] == "agent_completed":
        del service.leftovers[context.user_id]
