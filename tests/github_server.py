"""A server on this machine that speaks what a comment needs of GitHub's API, and refuses on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = 2
"""Comments of one page, few, so that the client has to turn pages."""


@dataclass
class GitHub:
    """What the server knows and was asked.

    Attributes:
        token: The one that it accepts.
        me: Its owner; None for an app, which is no user.
        refusal: Status and headers of what every request is answered, if set.
        comments: As the API gives them.
        asked: Method and path of every request.
    """

    token: str = "ghs_0123456789abcdef0123"  # noqa: S105 - it opens nothing
    me: str | None = None
    refusal: tuple[int, str, dict[str, str]] | None = None
    comments: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    api: str = ""

    def add(self, body: str, *, login: str = "github-actions[bot]", kind: str = "Bot") -> dict[str, Any]:
        """Add a comment and return it."""
        number = 1001 + len(self.comments)
        url = f"https://github.test/acme/chat/issues/7#issuecomment-{number}"
        made = {"id": number, "body": body, "html_url": url, "user": {"login": login, "type": kind}}
        self.comments.append(made)
        return made


class _Handler(BaseHTTPRequestHandler):
    github: GitHub

    def do_GET(self) -> None:
        if self._refused():
            return
        if self.path == "/user":
            known = self.github.me
            self._answer(
                *((200, {"login": known}) if known else (403, {"message": "not accessible by integration"}))
            )
            return
        path, _, query = self.path.partition("?")
        if path != "/repos/acme/chat/issues/7/comments":
            self._answer(404, {"message": "Not Found"})
            return
        page = int(query.partition("&page=")[2] or 1)
        shown = self.github.comments[PAGE * (page - 1) : PAGE * page]
        more = PAGE * page < len(self.github.comments)
        link = {"Link": f'<{self.github.api}{path}?per_page=100&page={page + 1}>; rel="next"'} if more else {}
        self._answer(200, shown, link)

    def do_POST(self) -> None:
        body = self._body()
        if not self._refused():
            made = self.github.add(body["body"], login=self.github.me or "github-actions[bot]")
            self._answer(201, made)

    def do_PATCH(self) -> None:
        body = self._body()
        if not self._refused():
            number = int(self.path.rpartition("/")[2])
            found = next(each for each in self.github.comments if each["id"] == number)
            found.update(body)
            self._answer(200, found)

    def _body(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return content

    def _refused(self) -> bool:
        self.github.asked.append(f"{self.command} {self.path}")
        if self.headers["Authorization"] not in (f"token {self.github.token}", f"Bearer {self.github.token}"):
            self._answer(401, {"message": "Bad credentials"})
            return True
        if self.github.refusal:
            status, message, headers = self.github.refusal
            self._answer(status, {"message": message}, headers)
        return self.github.refusal is not None

    def _answer(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        raw = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json; charset=utf-8", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[GitHub]:
    """Serve on a free port of this machine."""
    github = GitHub()
    handler = type("Handler", (_Handler,), {"github": github})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        github.api = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield github
        server.shutdown()
        thread.join()
