"""WebSocket as uvicorn's sans-I/O protocol speaks it, with frames that are written as they are.

A server's frames are not masked, and nothing is compressed here: what a hundred readers are told
alike is one and the same frame (`api.live.told`), put together once.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

FRAMES = "passerelle.frames"
"""ASGI extension of a connection: a function that writes a whole frame at once, and returns whether
it did: not while the connection takes nothing, nor when it is being closed."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """The protocol, with the ASGI extension `FRAMES`."""

    async def run_asgi(self) -> None:
        """Serve the connection."""
        extensions: dict[str, Any] = {**self.scope.get("extensions", {}), FRAMES: self._write_frame}
        self.scope["extensions"] = extensions
        await super().run_asgi()

    def _write_frame(self, frame: bytes) -> bool:
        if (
            not self.writable.is_set()
            or self.disconnected
            or self.close_sent
            or self.conn.state is not State.OPEN
        ):
            return False
        self.transport.write(frame)
        return True
