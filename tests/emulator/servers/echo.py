"""A test server of our own: HTTP echo, streams and a WebSocket, all led by its arguments and paths."""

import asyncio
import json
import os
import signal
import sys

from aiohttp import WSMsgType, web

held: list[bytearray] = []
seen: dict[str, int] = {"disconnects": 0, "ws_closes": 0, "sleeps": 0}


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    return web.json_response(
        {
            "revision": os.environ["K_REVISION"],
            "service": os.environ["K_SERVICE"],
            "greeting": os.environ.get("GREETING"),
            "pid": os.getpid(),
            "method": request.method,
            "path": request.raw_path,
            "body": body.decode(),
            "headers": [[name, value] for name, value in request.headers.items()],
        },
        headers={"X-From": "echo"},
    )


async def status(request: web.Request) -> web.Response:
    return web.Response(status=int(request.match_info["code"]), text="as you wish")


async def say(request: web.Request) -> web.Response:
    print(await request.text(), flush=True)  # noqa: T201
    return web.Response(text="said")


async def complain(request: web.Request) -> web.Response:
    print(await request.text(), file=sys.stderr, flush=True)  # noqa: T201
    return web.Response(text="complained")


async def stream(request: web.Request) -> web.StreamResponse:
    """Send a line, then wait for the client to go: only streaming lets that line arrive."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"first\n")
    try:
        await asyncio.sleep(30)
    finally:
        seen["disconnects"] += 1
    return response


async def upload(request: web.Request) -> web.Response:
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
    return web.json_response({"bytes": size})


async def counts(request: web.Request) -> web.Response:
    return web.json_response(seen)


async def crash(request: web.Request) -> web.Response:
    os._exit(7)


async def health(request: web.Request) -> web.Response:
    return web.Response(status=503 if "ill" in seen else 200)


async def fall_ill(request: web.Request) -> web.Response:
    seen["ill"] = 1
    return web.Response(text="ill")


async def hold(request: web.Request) -> web.Response:
    held.append(bytearray(os.urandom(1024)) * (1024 * int(request.match_info["mib"])))
    return web.Response(text="held")


async def sleep(request: web.Request) -> web.Response:
    seen["sleeps"] += 1
    await asyncio.sleep(float(request.match_info["seconds"]))
    return web.Response(text="awake")


async def ws(request: web.Request) -> web.StreamResponse:
    if request.headers.get("Authorization") == "Bearer wrong":
        return web.json_response({"error": "bad token"}, status=401)
    socket = web.WebSocketResponse(protocols=["jwt-auth"])
    await socket.prepare(request)
    hello = {
        "revision": os.environ["K_REVISION"],
        "pid": os.getpid(),
        "protocol": socket.ws_protocol,
        "trace": "traceparent" in request.headers,
    }
    await socket.send_str(json.dumps(hello))
    try:
        async for message in socket:
            if message.type is WSMsgType.TEXT and message.data == "close":
                await socket.close(code=4321, message=b"as asked")
            elif message.type is WSMsgType.TEXT and message.data == "abort":
                request.transport.abort()
            elif message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
    finally:
        seen["ws_closes"] += 1
    return socket


def main() -> None:
    if "--exit" in sys.argv:
        print(json.dumps({"severity": "CRITICAL", "message": "cannot start", "step": 1}), flush=True)  # noqa: T201
        sys.exit(1)
    if "--child" in sys.argv and os.fork() == 0:
        signal.pause()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_get("/ws", ws)
    app.router.add_get("/stream", stream)
    app.router.add_get("/counts", counts)
    app.router.add_get("/crash", crash)
    app.router.add_get("/health", health)
    app.router.add_get("/fall-ill", fall_ill)
    app.router.add_post("/say", say)
    app.router.add_post("/complain", complain)
    app.router.add_post("/upload", upload)
    app.router.add_get("/hold/{mib}", hold)
    app.router.add_get("/sleep/{seconds}", sleep)
    app.router.add_route("*", "/status/{code}", status)
    app.router.add_route("*", "/{rest:.*}", echo)
    web.run_app(
        app,
        host=os.environ["RUNBOOK_BIND"],
        port=int(os.environ["PORT"]),
        print=None,
        handler_cancellation=True,
    )


if __name__ == "__main__":
    main()
