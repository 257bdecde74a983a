"""What readers of the live stream are told, written out once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import msgspec
from starlette.types import Scope
from websockets.frames import Frame, Opcode

NS_PER_MS = 1_000_000
"""Nanoseconds in a millisecond: identifiers of events carry milliseconds."""


class Told:
    """Something to tell.

    Args:
        kind: `hello`, `points`, `missed`, `end`; `beat`: that the stream is there.
        id: where to go on after it, or "".
        body: a JSON object.
    """

    def __init__(self, kind: str, id: str = "", body: bytes = b"{}") -> None:  # noqa: A002 - of SSE
        self.kind = kind
        self.id = id
        self.body = body

    @property
    def size(self) -> int:
        """About how much memory it takes, bytes: its body, and as an event, and as a frame."""
        return 3 * len(self.body)

    @property
    def event(self) -> bytes:
        """As a server-sent event."""
        if self.kind == "beat":
            return b": beat\n\n"
        place = b"" if not self.id else b"id: %b\n" % self.id.encode()
        return b"%bevent: %b\ndata: %b\n\n" % (place, self.kind.encode(), self.body)

    @cached_property
    def chunk(self) -> bytes:
        """As a server-sent event in a chunk of its own (HTTP/1.1)."""
        event = self.event
        return b"%x\r\n%b\r\n" % (len(event), event)

    @property
    def text(self) -> str:
        """As a message of a WebSocket."""
        head = msgspec.json.encode({"type": self.kind, "id": self.id or None})
        body = self.body[1:]
        joint = b"" if body == b"}" else b","
        return (head[:-1] + joint + body).decode()

    @cached_property
    def frame(self) -> bytes:
        """As a WebSocket's frame from a server."""
        return Frame(Opcode.TEXT, self.text.encode()).serialize(mask=False)


def at_once(
    scope: Scope, extension: str, form: Callable[[Told], bytes]
) -> Callable[[Told], bool] | None:
    """Return what writes to a connection past the application; None: its server has no such thing.

    Args:
        scope: of the connection (ASGI).
        extension: of the server, by which it takes bytes as they go out.
        form: what these are.
    """
    write: Callable[[bytes], bool] | None = scope.get("extensions", {}).get(extension)
    return None if write is None else lambda told: write(form(told))
