"""`/v1/live/ws`: the same stream over a WebSocket, for browsers and for who changes the question.

Messages are JSON texts. A client that sent no key in a header sends `{"key": "..."}` first, within
ten seconds; then, whenever it likes, `{"want": {"site": "...", "quantities": [...]}}`. It is told
`{"type": "hello" | "points" | "missed" | "end" | "beat", "id": "...", ...}`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.access.errors import ForbiddenError
from api.live.asking import Question
from api.live.looking import Looking, NotLetInError
from api.live.reader import Reader, place_of
from api.live.told import at_once
from api.problems import PROBLEMS
from api.services import Services
from api.websocket_protocol import FRAMES
from core.errors import PasserelleError

T = TypeVar("T")

PATH = "/v1/live/ws"
BAD_MESSAGE, NO_KEY, FORBIDDEN, UNAVAILABLE, BUSY = 4400, 4401, 4403, 4503, 4429
"""Codes with which a connection is closed, beside 1001 (the API stops) and 1000 (time is over)."""
GOING_AWAY, DONE = 1001, 1000
FIRST_S = 10.0
"""How long a client may take to send its key, seconds."""
QUESTION_S = 0.1
"""How long nothing more is heard of a client after a question, seconds: each asks the registry."""
_LONGEST = 16_384


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    key: str | None = None
    want: Question | None = None
    last: str | None = None


_decoder = msgspec.json.Decoder(_Message)


class _Closing(Exception):  # noqa: N818 - how a conversation ends, not only in errors
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason[:120]


async def _endpoint(socket: WebSocket) -> None:
    services: Services = socket.app.state.services
    await socket.accept()
    services.live.sockets += 1
    try:
        await _Conversation(socket, services).hold()
    except _Closing as closing:
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(closing.code, closing.reason)
    except WebSocketDisconnect:
        return
    finally:
        services.live.sockets -= 1


ROUTE = WebSocketRoute(PATH, _endpoint)


class _Conversation:
    """One connection. Two tasks: one hears, one tells."""

    def __init__(self, socket: WebSocket, services: Services) -> None:
        self._socket = socket
        self._services = services
        self._address = socket.client.host if socket.client else ""

    async def hold(self) -> None:
        services = self._services
        try:
            first = await self._first()
        except _Closing as closing:
            if closing.code == NO_KEY:
                await run_in_threadpool(self._unknown, closing.reason)
            raise
        looking = Looking(
            services=services,
            credential=first.key or "",
            address=self._address,
            route=PATH,
            status=101,
            question=first.want or Question(),
        )
        await self._let(looking.identify)
        hub = services.live
        if hub.readers >= hub.settings.max_readers:
            raise _Closing(BUSY, f"{hub.readers} readers look on already")
        last = None if first.last is None else place_of(first.last)
        if first.last is not None and last is None:
            raise _Closing(BAD_MESSAGE, "last is no identifier of this stream's events")
        try:
            reader = Reader(
                hub=hub,
                shown=await self._let(looking.shown),
                clock=services.clock,
                last=last,
                for_s=None,
                renew=lambda: run_in_threadpool(looking.renewed),
                write=at_once(self._socket.scope, FRAMES, lambda told: told.frame),
            )
            hub.readers += 1
            hub.metrics.readers.labels("websocket").inc()
            try:
                await self._both(reader, looking)
            finally:
                hub.readers -= 1
                hub.metrics.readers.labels("websocket").dec()
        finally:
            await run_in_threadpool(looking.end)

    async def _both(self, reader: Reader, looking: Looking) -> None:
        telling = asyncio.create_task(self._tell(reader))
        hearing = asyncio.create_task(self._hear(reader, looking))
        try:
            done, _ = await asyncio.wait({telling, hearing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (telling, hearing):
                task.cancel()
            await asyncio.gather(telling, hearing, return_exceptions=True)
        for task in done:
            task.result()

    async def _tell(self, reader: Reader) -> None:
        async for one in reader.told():
            await self._socket.send_text(one.text)
            if one.kind == "end":
                reason = msgspec.json.decode(one.body)["reason"]
                code = {"stopping": GOING_AWAY, "refused": NO_KEY}.get(reason, DONE)
                raise _Closing(code, reason)

    async def _hear(self, reader: Reader, looking: Looking) -> None:
        while True:
            message = await self._message()
            if message.want is None:
                raise _Closing(BAD_MESSAGE, "send what you want: a message with want")
            looking.question = message.want
            reader.show(await self._let(looking.shown))
            await self._socket.send_text(reader.hello().text)
            await asyncio.sleep(QUESTION_S)

    async def _first(self) -> _Message:
        """Return the first message: it has the key where no header has."""
        credential = self._socket.scope.get("state", {}).get("credential")
        if credential is not None:
            return _Message(key=credential, last=self._socket.query_params.get("last"))
        try:
            async with asyncio.timeout(FIRST_S):
                message = await self._message()
        except TimeoutError:
            raise _Closing(NO_KEY, "no key came") from None
        if not message.key:
            raise _Closing(NO_KEY, "send a key first: a message with key")
        return message

    def _unknown(self, why: str) -> None:
        self._services.audit.refused_unknown(address=self._address, key="", route=PATH, detail=why)

    async def _let(self, ask: Callable[[], T]) -> T:
        """Ask in a thread what a reader may do; close with a code that says why it may not."""
        try:
            return await run_in_threadpool(ask)
        except NotLetInError as error:
            raise _Closing(NO_KEY, error.detail) from None
        except ForbiddenError as error:
            raise _Closing(FORBIDDEN, error.detail) from None
        except PasserelleError as error:
            kind = PROBLEMS.get(error.code)
            ours = kind is None or kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            raise _Closing(UNAVAILABLE if ours else BAD_MESSAGE, error.detail) from None

    async def _message(self) -> _Message:
        try:
            text = await self._socket.receive_text()
            if len(text) > _LONGEST:
                raise _Closing(BAD_MESSAGE, f"a message has at most {_LONGEST} characters")
            return _decoder.decode(text)
        except (msgspec.MsgspecError, KeyError) as error:
            raise _Closing(BAD_MESSAGE, f"that is no message of this stream: {error}") from None
