"""A TCP proxy that a test can cut and abandon: what happens to cables, not to programs."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

_BLOCK = 1 << 16
_POLL_S = 0.05
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: closing sends RST


class TcpProxy:
    """Listens on a free port of 127.0.0.1 and forwards to another; a context manager.

    Args:
        target: port of 127.0.0.1 to forward to.

    Attributes:
        port: where it listens.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_POLL_S)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._links: list[_Link] = []
        self._heard: list[bytearray] = []
        self._said: list[bytearray] = []
        self._open = threading.Event()
        self._open.set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="tcp-proxy")

    def cut(self) -> None:
        """Reset every connection; new ones are taken."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.end()

    def abandon(self) -> None:
        """Forward nothing any more on the connections there are, and close none of them.

        Both ends see a silent peer, as behind a router that has forgotten the connection; new
        connections are forwarded.
        """
        with self._lock:
            for link in self._links:
                link.abandon()

    def shut(self) -> None:
        """Reset every connection, and every new one at once."""
        self._open.clear()
        self.cut()

    def reopen(self) -> None:
        """Take connections again."""
        self._open.set()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        with self._lock:
            self._links = [link for link in self._links if link.alive]
            return len(self._links)

    def heard(self) -> list[bytes]:
        """Return what the target has sent to each client, connection by connection."""
        with self._lock:
            return [bytes(one) for one in self._heard]

    def said(self) -> list[bytes]:
        """Return what each client has sent to the target, connection by connection."""
        with self._lock:
            return [bytes(one) for one in self._said]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._thread.join()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                client.close()
                continue
            self._connect(client, server)

    def _connect(self, client: socket.socket, server: socket.socket) -> None:
        heard, said = bytearray(), bytearray()
        with self._lock:
            if not self._open.is_set():
                client.close()
                server.close()
                return
            link = _Link(client, server, heard=heard, said=said)
            link.start()  # before anybody can end it
            self._heard.append(heard)
            self._said.append(said)
            self._links.append(link)


class _Link:
    """One connection through the proxy."""

    def __init__(
        self, client: socket.socket, server: socket.socket, *, heard: bytearray, said: bytearray
    ) -> None:
        self._sockets = (client, server)
        self._abandoned = threading.Event()
        self._over = threading.Event()
        for one in self._sockets:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            one.settimeout(_POLL_S)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._threads = [
            threading.Thread(target=self._pump, args=(client, server, said), name="tcp-proxy-up"),
            threading.Thread(
                target=self._pump, args=(server, client, heard), name="tcp-proxy-down"
            ),
        ]

    @property
    def alive(self) -> bool:
        """Whether both ends are there."""
        return not self._over.is_set()

    def start(self) -> None:
        """Begin to forward."""
        for thread in self._threads:
            thread.start()

    def abandon(self) -> None:
        """Forward nothing any more, and close nothing."""
        self._abandoned.set()

    def end(self) -> None:
        """Close both ends, and wait until nothing is forwarded any more."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()

    def _pump(self, source: socket.socket, sink: socket.socket, record: bytearray) -> None:
        with contextlib.suppress(OSError):
            while not self._over.is_set():
                if self._abandoned.is_set():
                    self._over.wait()
                    return
                try:
                    block = source.recv(_BLOCK)
                except TimeoutError:
                    continue
                if not block:
                    break
                if self._abandoned.is_set():
                    continue
                self._send(sink, block)
                record += block
        if self._over.is_set():
            return
        self._over.set()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _send(self, sink: socket.socket, block: bytes) -> None:
        view = memoryview(block)
        while view and not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                view = view[sink.send(view) :]
