"""A program's own HTTP port beside the API: `/metrics` for Prometheus, `/health` for a supervisor.

It binds to the loopback address unless told otherwise, and tells no measurement.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from core.errors import ConfigurationError
from core.metrics import PROCESS_REGISTRY, Metrics


class StatusServer:
    """Serves until stopped.

    Args:
        host: address to bind to.
        port: port to bind to; 0 for any free one.
        metrics: what `/metrics` shows, with the process's own.
        healthy: called for `/health`; the mapping is the answer, `ok` decides 200 or 503.
        variable: environment variable of the port, for the error.

    Raises:
        ConfigurationError: the port is taken.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        metrics: Metrics,
        healthy: Callable[[], dict[str, object]],
        variable: str,
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/metrics":
                    body = generate_latest(PROCESS_REGISTRY) + generate_latest(metrics.registry)
                    self._answer(200, CONTENT_TYPE_LATEST, body)
                elif self.path == "/health":
                    state = healthy()
                    status = 200 if state.get("ok") else 503
                    self._answer(status, "application/json", msgspec.json.encode(state))
                else:
                    problem = (
                        b'{"title": "Not found", "status": 404, "detail": "/metrics, /health"}'
                    )
                    self._answer(404, "application/problem+json", problem)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                """Leave requests out of the log."""

            def _answer(self, status: int, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise ConfigurationError(
                f"port {port} on {host} cannot be used ({error.strerror}); choose another with "
                f"{variable}"
            ) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2},
            name="status", daemon=True,
        )  # fmt: skip

    @property
    def port(self) -> int:
        """The port it serves."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
