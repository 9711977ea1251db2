"""Serves a watched report to this machine only: two addresses, nothing from the disk, no other host or origin."""

from __future__ import annotations

import json
import re
import socketserver
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mnistarena.errors import ArenaError, first_line
from mnistarena.report.watch import Watched

LOOPBACK = "127.0.0.1"

_HOST = re.compile(r"(?:localhost|127\.0\.0\.1)(?::\d{1,5})?", re.ASCII | re.IGNORECASE)

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

_NOTHING = "default-src 'none'; frame-ancestors 'none'"


class ReportServer(ThreadingHTTPServer):
    """A server on the loopback address; `port` 0 takes one that is free. `ArenaError` where it cannot be had."""

    daemon_threads = True

    def __init__(self, watched: Watched, port: int = 0) -> None:
        self.watched = watched
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as problem:
            raise ArenaError(
                f"port {port} of {LOOPBACK} cannot be used: {first_line(problem)}; give another --port, or none"
            ) from problem

    def server_bind(self) -> None:
        """Bind, without asking the name service who this is."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has gone is no error."""

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: ReportServer
    timeout = 20
    """Seconds for which a connection may say nothing."""

    def do_GET(self) -> None:
        """Answer, if the request is from this machine's own page or address line."""
        path = self.path.partition("?")[0]
        if (refusal := self.refusal()) is not None:
            self.answer(HTTPStatus.FORBIDDEN, refusal)
        elif path == "/":
            page = self.server.watched.page()
            self.answer(HTTPStatus.OK, page.content, "text/html", policy=page.policy)
        elif path == "/version":
            self.answer(HTTPStatus.OK, json.dumps(self.server.watched.news()), "application/json")
        else:
            self.answer(HTTPStatus.NOT_FOUND, "there are / and /version")

    do_HEAD = do_GET

    def refusal(self) -> str | None:
        """Why a request gets nothing; None where it is answered.

        Another host name that leads here is how a page from elsewhere gets around the same-origin rule. The port is
        not compared: it is another one where a port is forwarded.
        """
        hosts, origins = (self.headers.get_all(name, []) for name in ("Host", "Origin"))
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            return f"this page is at {self.server.url}, and at no other name"
        if origins not in ([], [f"http://{hosts[0]}"]):
            return "another page asked for this one"
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return f"another page led here; type {self.server.url} into the address line"
        return None

    def answer(
        self, status: HTTPStatus, content: str | bytes, kind: str = "text/plain", *, policy: str = _NOTHING
    ) -> None:
        """Send an answer; without its content where only the headers were asked for."""
        body = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", policy)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no request, or has another method, without repeating any of it."""
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        self.answer(status, status.phrase)

    def version_string(self) -> str:
        """What the header "Server" says."""
        return "mnistarena"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal may show a run."""
