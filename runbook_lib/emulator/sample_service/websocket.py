"""Serve `/ws`: check the token, hold the session, take chats in and send events out."""

from __future__ import annotations

import asyncio

from aiohttp import WSMsgType, web

from . import logs
from .agents import UserExecutionContext
from .answers import answer
from .auth import SUBPROTOCOL, token_in
from .events import BadMessage, Chat, connection_ready, read_chat, refusal
from .service import SERVICE, Service

MAX_MESSAGE_BYTES = 64 * 1024
MAX_WAITING_CHATS = 16  # above this, a connection is not read until an answer is done
CLOSE_TIMEOUT_S = 0.5


async def serve_websocket(request: web.Request) -> web.StreamResponse:
    """Answer the handshake and stay until either side closes."""
    service = request.app[SERVICE]
    user_id = service.tokens.user_id(token_in(request.headers))
    await _handshake_defects(service, user_id)
    # No compression: it costs more time and memory than these short messages give back.
    socket = web.WebSocketResponse(
        protocols=(SUBPROTOCOL,), max_msg_size=MAX_MESSAGE_BYTES, compress=False, timeout=CLOSE_TIMEOUT_S
    )
    await socket.prepare(request)
    service.sockets.add(socket)
    try:
        with service.sessions.session(user_id) as context:
            await _hold(service, socket, context, request.headers.get("User-Agent", ""))
    except ConnectionError:
        logs.info("session lost", user_id=user_id)
    finally:
        service.sockets.discard(socket)
    return socket


async def _handshake_defects(service: Service, user_id: str) -> None:
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
    await socket.send_json(connection_ready(context, service.settings.revision))
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
            async for event in answer(service, context, await chats.get()):
                await socket.send_json(event)
    except ConnectionError:
        return  # the reader sees the close, too, and ends the session
    except Exception:
        logs.failure("answering failed", user_id=context.user_id, session_id=context.session_id)
        await socket.close(code=1011, message=b"internal error")
