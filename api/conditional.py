"""Answers that did not change are not sent again: entity tags and conditional requests.

RFC 9110, 8.8.3 and 13.1.2. The tag is weak: the same answer may be sent compressed or not. It is
made of the body, so it costs the server the work and saves the client the transfer.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from hashlib import blake2b
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from api.rate_limits import POLICY_HEADER, STATE_HEADER

Message = MutableMapping[str, Any]
_OK = 200
_NOT_MODIFIED = 304
_TAG_BYTES = 16
_CONDITIONAL = ("GET", "HEAD")
_KEPT = {b"etag", b"cache-control", b"vary", b"date", b"link"} | {
    name.lower().encode() for name in (POLICY_HEADER, STATE_HEADER, "Deprecation")
}
"""What a 304 repeats of the answer's headers: RFC 9110, 15.4.5, and what every answer says."""


class ConditionalRequests:
    """ASGI middleware: gives whole answers an `ETag`, and 304 to who has them already.

    Streamed answers have none: their body is not known when they begin.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in _CONDITIONAL:
            await self._app(scope, receive, send)
            return
        wanted = Headers(scope=scope).getlist("if-none-match")
        start: Message | None = None

        async def tagging_send(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] == _OK:
                start = message
                return
            if start is None:
                await send(message)
                return
            begun, start = start, None
            if message["type"] != "http.response.body" or message.get("more_body", False):
                await send(begun)
                await send(message)
                return
            await _answer(begun, message, wanted, send)

        await self._app(scope, receive, tagging_send)


async def _answer(start: Message, body: Message, wanted: list[str], send: Send) -> None:
    headers = MutableHeaders(raw=list(start["headers"]))
    tag = (
        headers.get("etag")
        or f'W/"{blake2b(body.get("body", b""), digest_size=_TAG_BYTES).hexdigest()}"'
    )
    headers["ETag"] = tag
    headers.setdefault("Cache-Control", "private, no-cache")
    if matches(wanted, tag):
        kept = [(name, value) for name, value in headers.raw if name in _KEPT]
        await send({"type": "http.response.start", "status": _NOT_MODIFIED, "headers": kept})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({**start, "headers": headers.raw})
    await send(body)


def matches(wanted: Iterable[str], tag: str) -> bool:
    """Say whether one of the tags of `If-None-Match` is `tag`, by weak comparison.

    Args:
        wanted: values of the header, each a list of tags or `*`.
        tag: an entity tag.
    """
    plain = tag.removeprefix("W/")
    return any(
        one.strip() == "*" or one.strip().removeprefix("W/") == plain
        for value in wanted
        for one in value.split(",")
    )
