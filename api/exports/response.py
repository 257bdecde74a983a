"""An export as an HTTP answer, with its checksum in trailers where the connection has them.

Trailers (RFC 9110, 6.5) come after the last byte: a client that has them knows that the answer was
complete, and that it has every byte. One that lost the connection sees an unfinished answer: the
last, empty chunk of HTTP/1.1 is never sent.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api.exports.stream import Export
from core.errors import PasserelleError
from core.logs import logger

_log = logger("api")

EXTENSION = "http.response.trailers"
"""The ASGI extension of servers that send trailers."""
TRAILERS = "Repr-Digest, Passerelle-Rows, Passerelle-First, Passerelle-Last, Passerelle-Content"
"""Names of the trailers, as announced."""

_FILES = ("/v1/exports", "/v1/snapshots")


class ExportResponse(StreamingResponse):
    """Sends an export.

    Args:
        export: not yet begun.
        media_type: of its format.
        headers: further headers.
        done: called when the answer ends, however it ends.
    """

    def __init__(
        self,
        export: Export,
        *,
        media_type: str,
        headers: Mapping[str, str],
        done: Callable[[], None],
    ) -> None:
        super().__init__(
            iter(export), media_type=media_type, headers={**headers, "Trailer": TRAILERS}
        )
        self._export = export
        self._done = done
        self._trailing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        self._trailing = EXTENSION in scope.get("extensions", {})
        if not self._trailing:
            del self.headers["Trailer"]
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._done()

    async def stream_response(self, send: Send) -> None:
        """Send the head, the bytes as they are made, and the trailers."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
                "trailers": self._trailing,
            }
        )
        try:
            async for chunk in self.body_iterator:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except PasserelleError as error:
            # an answer that is left unfinished makes the server close the connection
            _log.error("export_failed", why=error.detail, rows=self._export.rows)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        if self._trailing:
            await send(
                {
                    "type": "http.response.trailers",
                    "headers": trailers(self._export),
                    "more_trailers": False,
                }
            )


class FilesAsTheyAre:
    """ASGI middleware, outside of compression: files are sent as their checksums say.

    `Repr-Digest` is of what is sent, compressed or not (RFC 9530), and a compressor holds back the
    line that says why a file is incomplete.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith(_FILES):
            kept = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
            scope = {**scope, "headers": kept}
        await self._app(scope, receive, send)


def trailers(export: Export) -> list[tuple[bytes, bytes]]:
    """Return the trailers of an export that is complete."""
    facts = export.facts()
    found = {
        "repr-digest": repr_digest(export.sha256),
        "passerelle-rows": str(facts["rows"]),
        "passerelle-first": facts["first"] or "",
        "passerelle-last": facts["last"] or "",
        "passerelle-content": f"{facts['content_hash_algorithm']}={facts['content_sha256']}",
    }
    return [(name.encode(), value.encode()) for name, value in found.items()]


def repr_digest(sha256: bytes) -> str:
    """Return the field value of `Repr-Digest` (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"
