"""The API on a socket, in a thread of its own.

The thread owns the event loop and everything uvicorn has; `start` and `stop` may be called from
any other thread, once each. Signals stay with the program.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Sequence
from threading import Event, Thread
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.http_protocol import HttpProtocol
from api.websocket_protocol import WebSocketProtocol
from core.errors import ConfigurationError

_GRACE_S = 5
_START_S = 30.0
_SOCKETS_S = 1.0
"""How long WebSockets have to be told that the stream ends, seconds."""
_LOOK_S = 0.01
_BACKLOG = 2048
_LONGEST_MESSAGE = 64 * 1024


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, *, settled: Event) -> None:
        super().__init__(config)
        self._settled = settled

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._settled.set()


class ApiServer:
    """Serves an application until it is told to stop.

    Args:
        app: the application.
        host: address to bind to.
        port: port to bind to; 0: any free one.
        trusted_proxies: addresses or networks that may say for whom they ask (X-Forwarded-For).
    """

    def __init__(
        self, app: FastAPI, host: str, port: int, *, trusted_proxies: Sequence[str] = ()
    ) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._settled = Event()
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            http=HttpProtocol,
            ws=WebSocketProtocol,
            ws_max_size=_LONGEST_MESSAGE,
            ws_per_message_deflate=False,
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=list(trusted_proxies),
            timeout_graceful_shutdown=_GRACE_S,
        )
        self._server = _Server(config, settled=self._settled)
        self._thread: Thread | None = None

    def start(self) -> str:
        """Bind, listen, and return the address, such as `http://127.0.0.1:8000`.

        Raises:
            ConfigurationError: the port is taken, or the address is not this machine's.
        """
        bound = self._bind()
        host, port = bound.getsockname()[:2]
        self._thread = Thread(target=self._run, args=(bound,), name="api", daemon=True)
        self._thread.start()
        if not self._settled.wait(_START_S) or not self._server.started:
            self.stop()
            raise ConfigurationError(
                f"the API on {self._host}:{self._port} did not start; its log says why"
            )
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def stop(self) -> None:
        """Finish the requests under way (5 seconds at most), then release the port."""
        services = getattr(self._app.state, "services", None)
        if services is not None:
            services.live.end_readers()
            deadline_s = time.monotonic() + _SOCKETS_S
            while services.live.sockets and time.monotonic() < deadline_s:
                time.sleep(_LOOK_S)  # uvicorn would close them with a reason of its own
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()

    def _run(self, bound: socket.socket) -> None:
        try:
            self._server.run(sockets=[bound])
        finally:
            bound.close()
            self._settled.set()

    def _bind(self) -> socket.socket:
        where = f"{self._host}:{self._port}"
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                self._host,
                self._port,
                type=socket.SOCK_STREAM,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_PASSIVE,
            )[0]
            # asyncio sets TCP_NODELAY only where the protocol is named: without it every small
            # answer waits 40 ms for the client's delayed acknowledgement
            bound = socket.socket(family, kind, protocol)
            return _listening(bound, address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigurationError(
                    f"the API cannot listen on {where}: another program does; stop it, or set "
                    "another port (PASSERELLE_API__PORT)"
                ) from None
            raise ConfigurationError(
                f"the API cannot listen on {where}: {error.strerror or error}; correct the "
                "address (PASSERELLE_API__HOST) or the port (PASSERELLE_API__PORT)"
            ) from None


def _listening(bound: socket.socket, address: Any) -> socket.socket:
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound
