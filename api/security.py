"""Who asks: every path but the public ones needs an API key or a bearer token, checked first.

`Authentication` stands in front of the routes, so a path is closed unless it is listed in
`PUBLIC_PATHS`: a new route cannot be left open by forgetting something.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access.audit import Audit
from api.access.principals import principal_of_identity, principal_of_key
from api.dashboard.routes import PATHS as DASHBOARD
from api.oidc import OidcVerifier
from api.oidc.errors import ProviderUnavailableError, TokenRefusedError, TokenUserDisabledError
from api.problems import on_passerelle_error, problem_response
from api.rate_limits import Buckets, too_often
from core.access import Principal
from core.clock import Clock
from core.logs import Outage
from core.metrics import Metrics
from devices.registry import ApiKey, Registry
from devices.registry.errors import RegistryUnavailableError

PUBLIC_PATHS = frozenset({"/health/live", "/health/ready", "/openapi.json", "/docs"}) | DASHBOARD
"""Paths that answer without a key: health, and what holds no data: the description of the API and
the files of the dashboard."""

SOCKET_PATHS = frozenset({"/v1/live/ws"})
"""WebSockets that are open, and ask for a key in their first message where no header has one."""

CACHE_S = 2.0
"""How long a verified key is believed without asking the registry, seconds: a revoked key works
for at most this long."""
_CACHE_KEYS = 1024
_LONGEST_KEY = 256
_KEY_PREFIX = "psl_"
_PARTS, _LONGEST_ID = 3, 16

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="passerelle"'}


class KeyVerifier:
    """Asks the registry whether a key is good, and remembers a yes for `CACHE_S`.

    A no is never remembered, so a new key works at once. Only digests of keys are kept. Used from
    many threads.
    """

    def __init__(self, *, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._lock = Lock()
        self._good: OrderedDict[bytes, tuple[ApiKey, float]] = OrderedDict()

    def remembered(self, plain: str) -> ApiKey | None:
        """Return the key when it was found good less than `CACHE_S` ago. Does not block."""
        with self._lock:
            found = self._good.get(_digest(plain))
        if found is None or self._clock.monotonic_s() - found[1] >= CACHE_S:
            return None
        key = found[0]
        return None if key.expired(self._clock.now_ns()) else key

    def was_good(self, plain: str) -> bool:
        """Tell whether the key was found good some time ago. Does not block."""
        with self._lock:
            return _digest(plain) in self._good

    def verify(self, plain: str) -> ApiKey | None:
        """Return the key when the registry says that it is good, else None. Blocks.

        Raises:
            RegistryUnavailableError: the registry cannot be asked.
        """
        asked_at = self._clock.monotonic_s()
        key = self._registry.keys.verify(plain)
        digest = _digest(plain)
        with self._lock:
            self._good.pop(digest, None)
            if key is not None:
                self._good[digest] = (key, asked_at)
            while len(self._good) > _CACHE_KEYS:
                self._good.popitem(last=False)
        return key


class Tokens:
    """Says who a bearer token stands for.

    Args:
        verifier: of tokens.
        issuer: who gives them.
        registry: knows which user somebody is.
    """

    def __init__(self, *, verifier: OidcVerifier, issuer: str, registry: Registry) -> None:
        self._verifier = verifier
        self._issuer = issuer
        self._registry = registry

    def principal(self, token: str) -> Principal:
        """Return who a token stands for. Blocks.

        Raises:
            TokenRefusedError: it is not good, or its user was shut out.
            ProviderUnavailableError: it cannot be told.
            RegistryUnavailableError: the registry cannot be asked.
        """
        identity = self._verifier.verify(token)
        user = self._registry.users.of_subject(f"{self._issuer}#{identity.subject}")
        if user is not None and user.disabled_ns is not None:
            raise TokenUserDisabledError(f"the user {user.id} was shut out")
        return principal_of_identity(identity, user)


class Callers:
    """Says who a credential stands for, to what has to ask beside `Authentication`.

    Args:
        verifier: knows the keys.
        tokens: knows good bearer tokens; None: only keys are accepted.
        guesses: wrong keys of each address; None: no bound.
        audit: is told who was not let in.
    """

    def __init__(
        self,
        *,
        verifier: KeyVerifier,
        tokens: Tokens | None,
        guesses: Buckets | None,
        audit: Audit,
    ) -> None:
        self._verifier = verifier
        self._tokens = tokens
        self._guesses = guesses
        self._audit = audit

    def identify(self, plain: str, *, address: str) -> Principal | None:
        """Return who a key or a token stands for now, or None when it is not good. Blocks.

        Raises:
            ProviderUnavailableError: it cannot be told.
            RegistryUnavailableError: the registry cannot be asked.
        """
        forged = True
        if self._tokens is not None and _is_token(plain):
            try:
                return self._tokens.principal(plain)
            except TokenRefusedError as error:
                forged = error.forged
        elif self._over(address) and not self._verifier.was_good(plain):
            return None
        if _plausible(plain):
            key = self._verifier.verify(plain)
            if key is not None:
                return principal_of_key(key)
        if forged and self._guesses is not None:
            self._guesses.take(address)
        self._audit.refused_unknown(
            address=address, key=_public_part(plain), route="/v1/live", detail="not let in"
        )
        return None

    def _over(self, address: str) -> bool:
        """Tell whether an address sent as many wrong keys as it may."""
        return self._guesses is not None and self._guesses.wait_s(address) > 0


class Authentication:
    """ASGI middleware that lets a request through with a good key, or to a public path.

    Who asks is left in `request.state.principal` for the routes, the key in
    `request.state.api_key`. An address that tried too many wrong keys is only believed keys that
    were good before.

    Args:
        app: what stands behind it.
        verifier: knows the keys.
        registry_outage: noted when the registry goes away.
        guesses: wrong keys of each address; None: no bound.
        metrics: counts those that are refused for guessing.
        audit: is told who was not let in.
        tokens: knows good bearer tokens; None: only keys are accepted.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        verifier: KeyVerifier,
        registry_outage: Outage,
        guesses: Buckets | None,
        metrics: Metrics,
        audit: Audit,
        tokens: Tokens | None = None,
    ) -> None:
        self._tokens = tokens
        self._audit = audit
        self._app = app
        self._verifier = verifier
        self._outage = registry_outage
        self._guesses = guesses
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send)
        elif scope["type"] != "http" or scope["path"] in PUBLIC_PATHS:
            await self._app(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        plain = _presented(headers)
        scope.setdefault("state", {})["credential"] = plain
        if plain is None:
            await self._refuse(
                "send an API key in the header X-API-Key, or as Authorization: Bearer KEY; "
                "`passerelle keys create NAME` makes one",
                scope,
                receive,
                send,
            )
            return
        address = (scope.get("client") or ("",))[0]
        if self._tokens is not None and "x-api-key" not in headers and _is_token(plain):
            answer = await self._answer_to(plain, address, self._tokens, scope)
            await answer(scope, receive, send)
            return
        wait_s = 0.0 if self._guesses is None else self._guesses.wait_s(address)
        if wait_s and not self._verifier.was_good(plain):
            self._metrics.rate_limited.labels("address").inc()
            slow = too_often(
                "too many wrong keys came from this address", wait_s=wait_s, instance=scope["path"]
            )
            await slow(scope, receive, send)
            return
        try:
            key = self._verifier.remembered(plain)
            if key is None and _plausible(plain):
                key = await run_in_threadpool(self._verifier.verify, plain)
                self._outage.up()
        except RegistryUnavailableError as error:
            self._outage.down(error.detail)
            response = await on_passerelle_error(Request(scope), error)
            await response(scope, receive, send)
            return
        if key is None:
            if self._guesses is not None:
                self._guesses.take(address)
            detail = "the API key is not known, or it was revoked or has expired"
            await self._refuse(detail, scope, receive, send, key=plain)
            return
        state = scope.setdefault("state", {})
        state["api_key"] = key
        state["principal"] = principal_of_key(key)
        await self._app(scope, receive, send)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a WebSocket through to the one path that asks for its key itself, and to no other."""
        if scope["path"] not in SOCKET_PATHS:
            await send({"type": "websocket.close", "code": 1008})
            return
        scope.setdefault("state", {})["credential"] = _presented(Headers(scope=scope))
        await self._app(scope, receive, send)

    async def _answer_to(self, token: str, address: str, tokens: Tokens, scope: Scope) -> ASGIApp:
        """Return what answers a request with a bearer token: the application, or a refusal."""
        try:
            principal = await run_in_threadpool(tokens.principal, token)
        except TokenRefusedError as error:
            await run_in_threadpool(self._told, scope, error.detail, "")
            return self._token_refused(error, address, scope["path"])
        except (ProviderUnavailableError, RegistryUnavailableError) as error:
            return await on_passerelle_error(Request(scope), error)
        scope.setdefault("state", {})["principal"] = principal
        return self._app

    def _token_refused(self, error: TokenRefusedError, address: str, path: str) -> Response:
        """Return the answer; what nobody was given counts as a guess of its address."""
        if error.forged and self._guesses is not None and not self._guesses.take(address).allowed:
            self._metrics.rate_limited.labels("address").inc()
            return too_often(
                "too many wrong keys came from this address",
                wait_s=self._guesses.wait_s(address),
                instance=path,
            )
        challenge = f'{_CHALLENGE["WWW-Authenticate"]}, error="invalid_token"'  # RFC 6750, 3
        return problem_response(
            error.code, error.detail, instance=path, headers={"WWW-Authenticate": challenge}
        )

    def _told(self, scope: Scope, detail: str, key: str) -> None:
        address = (scope.get("client") or ("",))[0]
        self._audit.refused_unknown(
            address=address, key=_public_part(key), route=scope["path"], detail=detail
        )

    async def _refuse(
        self, detail: str, scope: Scope, receive: Receive, send: Send, *, key: str = ""
    ) -> None:
        await run_in_threadpool(self._told, scope, detail, key)
        response = problem_response(
            "unauthorized", detail, instance=scope["path"], headers=_CHALLENGE
        )
        await response(scope, receive, send)


def _public_part(plain: str) -> str:
    """Return what may be written down of a key that was not good: never its secret."""
    parts = plain.split("_")
    if len(parts) == _PARTS and len(parts[1]) <= _LONGEST_ID and plain.startswith(_KEY_PREFIX):
        return parts[1]
    return ""


def _presented(headers: Headers) -> str | None:
    plain = headers.get("x-api-key")
    if plain is not None:
        return plain.strip()
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


def _is_token(plain: str) -> bool:
    """Tell a token from a key."""
    return not plain.startswith(_KEY_PREFIX) and plain.count(".") > 1


def _plausible(plain: str) -> bool:
    """Tell nonsense from a key before the registry is troubled with it."""
    return plain.startswith(_KEY_PREFIX) and plain.isascii() and len(plain) <= _LONGEST_KEY


def _digest(plain: str) -> bytes:
    return hashlib.sha256(plain.encode()).digest()
