"""An HTTP proxy in front of a real server that answers in its place, late, or not at all."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType, TracebackType
from typing import Self
from urllib.parse import urlsplit

import msgspec

_NONE: Mapping[str, str] = MappingProxyType({})
_OWN = {"connection", "transfer-encoding", "content-length", "host", "date", "server"}
_POLL_S = 0.02


class Answer(msgspec.Struct, frozen=True):
    """An answer in place of the server's; the server is not asked.

    Attributes:
        status: of HTTP.
        body: its bytes.
        headers: beside the length.
    """

    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = _NONE


class Late(msgspec.Struct, frozen=True):
    """The server's own answer, so many seconds later."""

    seconds: float


class Lost(msgspec.Struct, frozen=True):
    """The server does what it is asked, and its answer never arrives: the connection is closed."""


Fault = Answer | Late | Lost
Rule = Callable[[str, str], Fault | None]
"""Gives for (method, path with query) what goes wrong, or None."""


class HttpProxy:
    """Listens on a free port of 127.0.0.1; a context manager.

    Args:
        url: of the real server.

    Attributes:
        url: of the proxy.
        rule: what goes wrong now; None: nothing. It may be changed at any time.
    """

    def __init__(self, url: str) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.target = urlsplit(url)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.rule: Rule | None = None
        self.ending = threading.Event()
        self._lock = threading.Lock()
        self._faults = 0
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="http-proxy"
        )

    @property
    def faults(self) -> int:
        """How many requests went wrong so far."""
        return self._faults

    def fault(self, method: str, path: str) -> Fault | None:
        """Return what goes wrong with a request, and count it."""
        rule = self.rule
        found = rule(method, path) if rule else None
        if found is not None:
            with self._lock:
                self._faults += 1
        return found

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ending.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def on_writes(fault: Fault) -> Rule:
    """Return a rule by which every write to InfluxDB goes wrong."""
    return lambda method, path: fault if (method, path.split("?")[0]) == _WRITE else None


_WRITE = ("POST", "/api/v2/write")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    proxy: HttpProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 60

    def _forward(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = proxy.fault(self.command, self.path)
        if isinstance(fault, Answer):
            self._give(fault.status, fault.headers, fault.body)
            return
        try:
            status, headers, content = self._ask(body)
        except OSError:  # the server is away: so is the proxy
            self.close_connection = True
            return
        if isinstance(fault, Late):
            proxy.ending.wait(fault.seconds)
        if isinstance(fault, Lost):
            self.close_connection = True
            return
        self._give(status, headers, content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _forward  # noqa: N815 - the library's names

    def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 - the library's
        """Say nothing."""

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        target = self.server.proxy.target
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _OWN}
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def _give(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _OWN:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
