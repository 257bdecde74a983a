"""`/v1/live/ws`: the same stream over a WebSocket, for browsers and for who changes the question.

Messages are JSON texts. A client that sent no key in a header sends `{"key": "..."}` first, within
ten seconds; then, whenever it likes, `{"want": {"site": "...", "quantities": [...]}}`. It is told
`{"type": "hello" | "points" | "missed" | "end" | "beat", "id": "...", ...}`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.access.audited import actor_of
from api.access.errors import AuditUnavailableError, ForbiddenError
from api.access.trail import Trail
from api.access.visibility import Access
from api.live.asking import Question, note_health, shown_to
from api.live.reader import Reader, Told, place_of
from api.live.shown import Shown
from api.routes.live import renewed
from api.services import Services
from core.access import Permission, Principal
from core.errors import PasserelleError
from devices.registry import AuditEntry, AuditEvent, AuditOutcome

PATH = "/v1/live/ws"
BAD_MESSAGE, NO_KEY, FORBIDDEN, UNAVAILABLE, BUSY = 4400, 4401, 4403, 4503, 4429
"""Codes with which a connection is closed, beside 1001 (the API stops) and 1000 (time is over)."""
GOING_AWAY, DONE = 1001, 1000
FIRST_S = 10.0
"""How long a client may take to send its key, seconds."""
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
    try:
        await _Conversation(socket, services).hold()
    except _Closing as closing:
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(closing.code, closing.reason)
    except WebSocketDisconnect:
        return


ROUTE = WebSocketRoute(PATH, _endpoint)


class _Conversation:
    """One connection. Two tasks: one hears, one tells."""

    def __init__(self, socket: WebSocket, services: Services) -> None:
        self._socket = socket
        self._services = services
        self._address = socket.client.host if socket.client else ""
        self._question = Question()
        self._credential = ""

    async def hold(self) -> None:
        first = await self._first()
        principal = await self._identify()
        socket = self._socket
        socket.scope.setdefault("state", {})["principal"] = principal
        access = Access(principal=principal, permission=Permission.READ_READINGS, trail=Trail())
        if not principal.may(access.permission):
            raise _Closing(FORBIDDEN, f"this needs the permission {access.permission.value}")
        services = self._services.for_caller(access)
        hub = services.live
        if hub.readers >= hub.settings.max_readers:
            raise _Closing(BUSY, f"{hub.readers} readers look on already")
        self._question = first.want or Question()
        last = None if first.last is None else place_of(first.last)
        if first.last is not None and last is None:
            raise _Closing(BAD_MESSAGE, "last is no identifier of this stream's events")
        shown = await self._shown(access, services)
        reader = Reader(
            hub=hub,
            shown=shown,
            clock=services.clock,
            last=last,
            for_s=None,
            renew=lambda: run_in_threadpool(
                renewed, access, services, self._question, self._credential, self._address
            ),
        )
        begun = await self._begin(access, services, shown)
        hub.readers += 1
        hub.metrics.readers.labels("websocket").inc()
        try:
            await self._both(reader, access, services)
        finally:
            hub.readers -= 1
            hub.metrics.readers.labels("websocket").dec()
            if begun is not None:
                ended = msgspec.structs.replace(begun, time_ns=0, outcome=AuditOutcome.COMPLETE)
                with suppress(AuditUnavailableError):
                    await run_in_threadpool(services.audit.write, ended)

    async def _both(self, reader: Reader, access: Access, services: Services) -> None:
        telling = asyncio.create_task(self._tell(reader))
        hearing = asyncio.create_task(self._hear(reader, access, services))
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
            await self._socket.send_text(_text(one))
            if one.kind == "end":
                reason = msgspec.json.decode(one.body)["reason"]
                code = {"stopping": GOING_AWAY, "refused": NO_KEY}.get(reason, DONE)
                raise _Closing(code, reason)

    async def _hear(self, reader: Reader, access: Access, services: Services) -> None:
        while True:
            message = await self._message()
            if message.want is None:
                raise _Closing(BAD_MESSAGE, "send what you want: a message with want")
            self._question = message.want
            reader.show(await self._shown(access, services))
            await self._socket.send_text(_text(reader.hello()))

    async def _first(self) -> _Message:
        """Return the first message: it has the key where no header has."""
        credential = self._socket.scope.get("state", {}).get("credential")
        if credential is not None:
            self._credential = credential
            wanted = self._socket.query_params.get("last")
            return _Message(last=wanted)
        try:
            async with asyncio.timeout(FIRST_S):
                message = await self._message()
        except TimeoutError:
            raise _Closing(NO_KEY, "no key came") from None
        if not message.key:
            raise _Closing(NO_KEY, "send a key first: a message with key")
        self._credential = message.key
        return message

    async def _identify(self) -> Principal:
        try:
            found = await run_in_threadpool(
                self._services.callers.identify, self._credential, address=self._address
            )
        except PasserelleError as error:
            raise _Closing(UNAVAILABLE, error.detail) from None
        if found is None:
            raise _Closing(NO_KEY, "the key is not good")
        return found

    async def _shown(self, access: Access, services: Services) -> Shown:
        try:
            return await run_in_threadpool(shown_to, access, services, self._question)
        except ForbiddenError as error:
            raise _Closing(FORBIDDEN, error.detail) from None
        except PasserelleError as error:
            raise _Closing(BAD_MESSAGE, error.detail) from None

    async def _message(self) -> _Message:
        try:
            text = await self._socket.receive_text()
            if len(text) > _LONGEST:
                raise _Closing(BAD_MESSAGE, f"a message has at most {_LONGEST} characters")
            return _decoder.decode(text)
        except (msgspec.MsgspecError, KeyError) as error:
            raise _Closing(BAD_MESSAGE, f"that is no message of this stream: {error}") from None

    async def _begin(self, access: Access, services: Services, shown: Shown) -> AuditEntry | None:
        """Write down that vital signs are looked on, if they are."""
        if not note_health(access, shown, now_ns=services.clock.now_ns()):
            return None
        entry = AuditEntry(
            time_ns=0,
            event=AuditEvent.READ,
            outcome=AuditOutcome.BEGUN,
            actor=actor_of(self._socket.scope),
            method="GET",
            route=PATH,
            status=101,
            permission=access.permission.value,
            sites=tuple(sorted(shown.wanted.sites)),
            quantities=tuple(sorted(access.trail.quantities)),
            start_ns=access.trail.start_ns,
        )
        try:
            await run_in_threadpool(services.audit.write, entry)
        except AuditUnavailableError as error:
            raise _Closing(UNAVAILABLE, error.detail) from None
        return entry


def _text(one: Told) -> str:
    head = msgspec.json.encode({"type": one.kind, "id": one.id or None})
    body = one.body[1:]
    joint = b"" if body == b"}" else b","
    return (head[:-1] + joint + body).decode()
