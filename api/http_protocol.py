"""HTTP/1.1 as uvicorn's httptools protocol speaks it, with trailers and a bound on heads.

The protocol sends no trailers, and takes heads of any length. Only what ends an answer is changed:
the last body message is held back until its trailers are there, and they are written behind the
last chunk.

An answer without an end may write chunks as they are (`CHUNKS`): what a hundred readers of the live
stream are told alike, sixty times a second, is put together once (`api.live.told`).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

LONGEST_HEAD = 64 * 1024
"""Bytes of a request's target and headers, at most."""
CHUNKS = "passerelle.chunks"
"""ASGI extension of a request: a function that writes a whole chunk of a body that has begun, at
once, and returns whether it did: not while the connection takes nothing, nor when it is over."""
_EXTENSION = "http.response.trailers"
_LAST_CHUNK = b"0\r\n\r\n"


class _Transport:
    """A connection that writes the trailers that wait with the end of a message."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.trailers: list[tuple[bytes, bytes]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self.trailers and data.endswith(_LAST_CHUNK):
            fields = [b"%b: %b\r\n" % field for field in self.trailers]
            self.trailers = []
            data = b"".join([data[:-2], *fields, b"\r\n"])
        self._transport.write(data)


class HttpProtocol(HttpToolsProtocol):
    """The protocol, with the ASGI extension `http.response.trailers`."""

    _head: int | None = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection."""
        trailing = _Transport(transport)
        self.app = _with_trailers(self.app, trailing)
        super().connection_made(trailing)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """Take what was received; a head that goes on for too long is answered with 400."""
        began = self._head is not None
        super().data_received(data)
        if began and self._head is not None:
            self._head += len(data)
            if self._head > LONGEST_HEAD:
                self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        """Start a request."""
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Serve the request."""
        self._head = None
        super().on_headers_complete()


def _with_trailers(app: Any, connection: _Transport) -> ASGIApp:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope.get("http_version") != "1.1":
            await app(scope, receive, send)
            return
        connection.trailers = []
        expected = False
        last: Message | None = None

        async def trailing_send(message: Message) -> None:
            nonlocal expected, last
            if message["type"] == "http.response.start":
                expected = bool(message.get("trailers")) and not _has_length(message)
            elif message["type"] == _EXTENSION:
                connection.trailers += list(message["headers"])
                if message.get("more_trailers") or last is None:
                    return
                message, last = last, None
            elif expected and not message.get("more_body", False):
                last = message
                return
            await send(message)

        given = scope.get("extensions", {})
        write = partial(_write_chunk, getattr(send, "__self__", None))
        scope = {**scope, "extensions": {**given, _EXTENSION: {}, CHUNKS: write}}
        await app(scope, receive, trailing_send)

    return wrapped


def _write_chunk(cycle: RequestResponseCycle | None, chunk: bytes) -> bool:
    if (
        cycle is None
        or not (cycle.response_started and cycle.chunked_encoding)
        or cycle.response_complete
        or cycle.disconnected
        or cycle.flow.write_paused
    ):
        return False
    cycle.transport.write(chunk)
    return True


def _has_length(message: Message) -> bool:
    return any(name.lower() == b"content-length" for name, _ in message["headers"])
