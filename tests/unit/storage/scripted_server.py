"""A small HTTP server that answers as a test says, for what no InfluxDB does to order."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request, with its body unpacked."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: str

    @property
    def lines(self) -> list[str]:
        """The lines of the body."""
        return self.body.splitlines()


@dataclass(frozen=True)
class Reply:
    """What is answered.

    Attributes:
        status: HTTP status; 0: the connection is closed without an answer.
        body: what is sent.
        headers: more headers.
        missing: bytes of the body that are announced and never sent.
    """

    status: int = 204
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    missing: int = 0


@dataclass(kw_only=True)
class Scripted:
    """The running server.

    Attributes:
        url: its address.
        answer: what answers each request; a test sets it.
        asked: every request so far.
        speaking: cleared by a test that wants no answers.
    """

    url: str
    answer: Callable[[Asked], Reply]
    asked: list[Asked]
    speaking: threading.Event


@contextmanager
def scripted_server() -> Iterator[Scripted]:
    """Run a server on a free port of 127.0.0.1 that answers 204 until told otherwise."""
    speaking = threading.Event()
    speaking.set()
    scripted = Scripted(url="", answer=lambda _: Reply(), asked=[], speaking=speaking)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # an answer is one packet, not two with a wait between them

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            parts = urlsplit(self.path)
            asked = Asked(
                path=parts.path,
                query=dict(parse_qsl(parts.query)),
                headers=dict(self.headers.items()),
                body=body.decode(),
            )
            scripted.asked.append(asked)
            speaking.wait(20)
            reply = scripted.answer(asked)
            if reply.status == 0:
                self.close_connection = True
                return
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(reply.body) + reply.missing))
            self.end_headers()
            self.wfile.write(reply.body)
            self.close_connection = bool(reply.missing)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    scripted.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield scripted
    finally:
        speaking.set()
        server.shutdown()
        thread.join()
        server.server_close()
