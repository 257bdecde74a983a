"""Writes that may be asked for twice: `Idempotency-Key` (an IETF draft of the HTTP API group).

A client that does not know whether its write arrived sends it again with the same key, and gets the
answer of the first time: nothing is done twice. Answers are kept for a day in the registry, so
every API process knows them. A failure of ours (5xx) is not kept: the write may be tried again; nor
is an answer that says `Cache-Control: no-store`, because it holds a secret.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from hashlib import blake2b
from typing import Any

from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import on_http_exception, on_passerelle_error, problem_response
from core.access import Principal
from devices.registry import Registry
from devices.registry.answered import Answered, Claimed
from devices.registry.errors import RegistryUnavailableError

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
"""Header of an answer that was given before."""
KEY_PATTERN = r"^[\x21-\x7e]{1,200}$"
NO_STORE = "no-store"
"""`Cache-Control` of an answer that nobody may keep."""
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_KEY = re.compile(KEY_PATTERN)
_KEPT = ("content-type", "location", "link", "deprecation", "etag")
_FAILED = 500
_DIGEST_BYTES = 32

Message = MutableMapping[str, Any]


class Idempotency:
    """ASGI middleware: does a write with a key once, and repeats its answer.

    It stands inside `Authentication`: keys of different callers never meet.
    """

    def __init__(self, app: ASGIApp, *, registry: Registry) -> None:
        self._app = app
        self._answers = registry.answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in WRITES:
            await self._app(scope, receive, send)
            return
        wanted = Headers(scope=scope).getlist(HEADER)
        if not wanted or "principal" not in scope.get("state", {}):  # a public path writes nothing
            await self._app(scope, receive, send)
            return
        try:
            response = await self._answer(scope, receive, wanted)
        except RegistryUnavailableError as error:
            response = await on_passerelle_error(Request(scope), error)
        except HTTPException as error:  # the body is too long
            response = await on_http_exception(Request(scope), error)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, wanted: list[str]) -> Response:
        if len(wanted) > 1 or not _KEY.match(wanted[0]):
            return problem_response(
                "bad_request",
                f"{HEADER} is given once, as 1 to 200 visible ASCII characters",
                instance=scope["path"],
            )
        body = await _whole(receive)
        key, fingerprint = _digests(scope, wanted[0], body)
        claimed = await run_in_threadpool(self._answers.claim, key, fingerprint)
        if isinstance(claimed, Answered):
            headers = {**claimed.headers, REPLAYED: "true"}
            return Response(claimed.body, claimed.status, headers)
        if claimed is Claimed.ANOTHER:
            return problem_response(
                "idempotency_key_reused",
                f"this {HEADER} was used for another request; use a new one",
                instance=scope["path"],
            )
        if claimed is Claimed.UNDER_WAY:
            return problem_response(
                "conflict",
                "the same request is being carried out; ask again in a second for its answer",
                instance=scope["path"],
                headers={"Retry-After": "1"},
            )
        return await self._carry_out(scope, body, key)

    async def _carry_out(self, scope: Scope, body: bytes, key: str) -> Response:
        recorder = _Recorder()
        try:
            await self._app(scope, _replay(body), recorder.send)
        except BaseException:
            await run_in_threadpool(self._answers.give_up, key)
            raise
        response = recorder.response()
        secret = response.headers.get("cache-control") == NO_STORE
        if response.status_code >= _FAILED or secret:
            await run_in_threadpool(self._answers.give_up, key)
        else:
            kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
            answered = Answered(response.status_code, kept, bytes(response.body))
            await run_in_threadpool(self._answers.answer, key, answered)
        return response


class _Recorder:
    """Takes an answer instead of the client."""

    def __init__(self) -> None:
        self._start: Message = {}
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        else:
            self._body += message.get("body", b"")

    def response(self) -> Response:
        response = Response(self._body, self._start["status"])
        response.raw_headers = list(self._start["headers"])
        return response


async def _whole(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes) -> Receive:
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _digests(scope: Scope, wanted: str, body: bytes) -> tuple[str, str]:
    caller: Principal = scope["state"]["principal"]
    target = (caller.id, scope["method"], scope["path"], wanted)
    content = scope["query_string"] + b"\x00" + body
    return (
        blake2b("\x00".join(target).encode(), digest_size=_DIGEST_BYTES).hexdigest(),
        blake2b(content, digest_size=_DIGEST_BYTES).hexdigest(),
    )
