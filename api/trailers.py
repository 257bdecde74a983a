"""HTTP/1.1 trailers for uvicorn, whose h11 protocol sends none.

Only what ends an answer is changed: the last body message is held back until its trailers are
there, and h11 writes them with the last chunk.
"""

from __future__ import annotations

from typing import Any

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_EXTENSION = "http.response.trailers"


class _Connection(h11.Connection):
    """Writes the trailers that wait with the end of a message."""

    def __init__(self, *, longest_head: int) -> None:
        super().__init__(h11.SERVER, longest_head)
        self.trailers: list[tuple[bytes, bytes]] = []

    def send(self, event: h11.Event) -> bytes | None:  # type: ignore[override]
        if isinstance(event, h11.EndOfMessage) and self.trailers:
            event = h11.EndOfMessage(headers=self.trailers)
            self.trailers = []
        return super().send(event)


class TrailingH11Protocol(H11Protocol):
    """uvicorn's h11 protocol with the ASGI extension `http.response.trailers`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        longest = self.config.h11_max_incomplete_event_size
        self._trailing = _Connection(longest_head=longest or _LONGEST_HEAD)
        self.conn = self._trailing
        self.app = _with_trailers(self.app, self._trailing)


_LONGEST_HEAD = 64 * 1024


def _with_trailers(app: Any, connection: _Connection) -> ASGIApp:
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

        scope = {**scope, "extensions": {**scope.get("extensions", {}), _EXTENSION: {}}}
        await app(scope, receive, trailing_send)

    return wrapped


def _has_length(message: Message) -> bool:
    return any(name.lower() == b"content-length" for name, _ in message["headers"])
