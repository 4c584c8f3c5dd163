"""The `/faults` path: shows, switches on and switches off faults."""

from aiohttp import web

from .errors import ApiError
from .faults import FaultBoard
from .rest import error_response, json_response
from .transcoding import parse_json


def add_fault_routes(app: web.Application, faults: FaultBoard) -> None:
    """Serve GET (all that are on), POST (switch one on) and DELETE (`?name=` or all) on `/faults`."""

    def shown() -> web.Response:
        return json_response({"faults": [fault.document() for fault in faults.active()]})

    async def show(_: web.Request) -> web.Response:
        return shown()

    async def add(request: web.Request) -> web.Response:
        try:
            return json_response(faults.add(parse_json(await request.read())).document())
        except ApiError as error:
            return error_response(error)

    async def clear(request: web.Request) -> web.Response:
        try:
            faults.clear(request.query.get("name", ""))
        except ApiError as error:
            return error_response(error)
        return shown()

    app.router.add_get("/faults", show)
    app.router.add_post("/faults", add)
    app.router.add_delete("/faults", clear)
