"""Route HTTP requests: login, health, agents and threads; `/ws` lives in `websocket`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from aiohttp import web
from aiohttp.typedefs import Handler

from . import logs
from .auth import LIFETIME_S, AuthError, check_login, token_in, user_id_of
from .service import SERVICE, Service
from .websocket import serve_websocket


def build_app(service: Service) -> web.Application:
    """Return the application around a service."""
    app = web.Application(middlewares=[errors_as_json, api_defects])
    app[SERVICE] = service
    app.add_routes(
        [
            web.post("/auth/login", login),
            web.post("/auth/logout", logout),
            web.get("/health", health),
            web.get("/api/agents", agents),
            web.get("/api/threads/{thread_id}", thread),
            web.get("/ws", serve_websocket),
        ]
    )
    app.on_shutdown.append(say_goodbye)
    return app


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer refusals as `{"error": …}`."""
    try:
        return await handler(request)
    except AuthError as error:
        challenge = {"WWW-Authenticate": "Bearer"}
        return web.json_response({"error": str(error)}, status=401, headers=challenge)
    except web.HTTPException as error:
        return web.json_response({"error": error.text or error.reason}, status=error.status)


@web.middleware
async def api_defects(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer some API requests with 500, where the variant says so."""
    if request.path.startswith("/api/") and request.app[SERVICE].api_500.due():
        # A warning: the platform logs the failed request as an error by itself.
        logs.warning("request failed", path=request.path)
        raise web.HTTPInternalServerError(text="internal error")
    return await handler(request)


async def login(request: web.Request) -> web.Response:
    """`POST /auth/login`: give a user an access token."""
    service = request.app[SERVICE]
    try:
        body = await request.json()
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"the body is not JSON: {error}") from error
    user = body.get("user") if isinstance(body, dict) else None
    if not isinstance(user, str) or not user:
        raise web.HTTPBadRequest(text='the body must be {"user": "name@domain"}')
    check_login(user, body.get("password"), service.staging_password)
    lifetime_s = _lifetime_s(body.get("lifetime_s", LIFETIME_S))
    if "second-login" in service.defects.faults:
        await _end_earlier_sessions(service, user_id_of(user))
    return web.json_response(
        {
            "access_token": service.tokens.issue(user, lifetime_s),
            "token_type": "Bearer",
            "expires_in": lifetime_s,
            "user_id": user_id_of(user),
        }
    )


def _lifetime_s(value: object) -> float:
    if isinstance(value, int | float) and 0 < value <= LIFETIME_S:
        return value
    raise web.HTTPBadRequest(text=f"lifetime_s must be a number of seconds up to {LIFETIME_S}")


async def _end_earlier_sessions(service: Service, user_id: str) -> None:
    sockets = [socket for socket, context in service.sockets.items() if context.user_id == user_id]
    await asyncio.gather(*(socket.close(code=4409, message=b"logged in elsewhere") for socket in sockets))


async def logout(request: web.Request) -> web.Response:
    """`POST /auth/logout`: end the caller's token."""
    service, token = request.app[SERVICE], token_in(request.headers)
    service.tokens.user_id(token)
    service.tokens.log_out(str(token))
    return web.Response(status=204)


async def health(request: web.Request) -> web.Response:
    """`GET /health`: say how each component is."""
    service = request.app[SERVICE]
    registry = "unhealthy" if service.defects.registry_unhealthy else "healthy"
    components = {
        "agent_registry": {"status": registry, "kinds": len(service.registry.kinds)},
        "session_manager": {"status": "healthy", "active": service.sessions.active},
        "websocket": {"status": "healthy", "connections": service.sessions.connected},
    }
    return web.json_response(
        {
            "status": registry,
            "revision": service.settings.revision,
            "components": components,
            "sessions": {"active": service.sessions.active},
            "uptime_s": round(service.uptime_s, 3),
        },
        status=200 if registry == "healthy" else 503,
    )


async def agents(request: web.Request) -> web.Response:
    """`GET /api/agents`: list the agent kinds."""
    service = request.app[SERVICE]
    service.tokens.user_id(token_in(request.headers))
    return web.json_response({"agents": service.registry.kinds})


async def thread(request: web.Request) -> web.Response:
    """`GET /api/threads/{thread_id}`: show the caller's own thread."""
    service = request.app[SERVICE]
    user_id = service.tokens.user_id(token_in(request.headers))
    thread_id = request.match_info["thread_id"]
    messages = service.threads.of(user_id, thread_id)
    if messages is None:
        raise web.HTTPNotFound(text=f"you have no thread {thread_id}")
    return web.json_response({"thread_id": thread_id, "messages": [asdict(message) for message in messages]})


async def say_goodbye(app: web.Application) -> None:
    """Close every WebSocket with 1001, so that clients know to connect elsewhere."""
    sockets = list(app[SERVICE].sockets)
    await asyncio.gather(*(socket.close(code=1001, message=b"going away") for socket in sockets))
