"""The proxies of the fault suite do to a connection what they say."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.servers.http_proxy import Answer, HttpProxy, Late, Lost
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.waiting import wait_until


class Echo:
    """A TCP server that sends back what it gets."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _run(self) -> None:
        connections: list[threading.Thread] = []
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                break
            connections.append(threading.Thread(target=self._echo, args=(connection,)))
            connections[-1].start()
        for one in connections:
            one.join()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(4096):
                    connection.sendall(data)
            except OSError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


def connect(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def asked(link: socket.socket, what: bytes) -> bytes:
    link.sendall(what)
    return link.recv(100)


def test_it_forwards_and_remembers_what_went_either_way(echo: Echo) -> None:
    with TcpProxy(echo.port) as proxy, connect(proxy) as link:
        assert asked(link, b"hello") == b"hello"
        wait_until(lambda: proxy.heard() == [b"hello"], what="it remembers what came", seconds=5)
        wait_until(lambda: proxy.said() == [b"hello"], what="it remembers what went", seconds=5)
        assert proxy.connections == 1


def test_a_cut_connection_is_reset_and_the_next_one_is_taken(echo: Echo) -> None:
    with TcpProxy(echo.port) as proxy:
        with connect(proxy) as link:
            assert asked(link, b"one") == b"one"
            proxy.cut()
            with pytest.raises(ConnectionResetError):
                link.recv(1)
        with connect(proxy) as link:
            assert asked(link, b"two") == b"two"


def test_an_abandoned_connection_is_silent_and_a_new_one_is_not(echo: Echo) -> None:
    with TcpProxy(echo.port) as proxy, connect(proxy) as old:
        assert asked(old, b"one") == b"one"
        proxy.abandon()
        old.settimeout(0.3)
        with pytest.raises(TimeoutError):
            asked(old, b"is anybody there")
        with connect(proxy) as new:
            assert asked(new, b"two") == b"two"


def test_a_proxy_that_is_shut_resets_whoever_comes_until_it_is_opened(echo: Echo) -> None:
    with TcpProxy(echo.port) as proxy:
        proxy.shut()
        with pytest.raises(ConnectionResetError), connect(proxy) as link:
            link.recv(1)
        proxy.reopen()
        with connect(proxy) as link:
            assert asked(link, b"one") == b"one"


class Counting(BaseHTTPRequestHandler):
    """Counts the requests and answers with the body."""

    protocol_version = "HTTP/1.1"
    requests = 0

    def do_POST(self) -> None:
        type(self).requests += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204 if not body else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 - the library's
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Counting.requests = 0
    real = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    thread = threading.Thread(target=real.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{real.server_port}"
    real.shutdown()
    thread.join()
    real.server_close()


def test_an_answer_in_place_of_the_servers_does_not_reach_the_server(server: str) -> None:
    with HttpProxy(server) as proxy:
        proxy.rule = lambda method, _path: (
            Answer(429, b"{}", {"Retry-After": "3"}) if method == "POST" else None
        )
        answer = httpx.post(proxy.url, content=b"x")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
        assert (Counting.requests, proxy.faults) == (0, 1)
        proxy.rule = None
        assert httpx.post(proxy.url, content=b"x").content == b"x"


def test_a_late_answer_is_the_servers_own(server: str) -> None:
    with HttpProxy(server) as proxy:
        proxy.rule = lambda _method, _path: Late(0.5)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(proxy.url, content=b"x", timeout=0.1)
        assert httpx.post(proxy.url, content=b"y", timeout=5).content == b"y"
        assert Counting.requests == 2


def test_what_was_done_stays_done_when_the_answer_is_lost(server: str) -> None:
    with HttpProxy(server) as proxy:
        proxy.rule = lambda _method, _path: Lost()
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(proxy.url, content=b"x")
        assert Counting.requests == 1
