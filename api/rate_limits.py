"""How often one caller may ask: a token bucket for each caller, and one for each guessing address.

A bucket holds `burst` tokens and is filled at `per_s`; each request takes one or more. A caller may
so use its burst at once, and `per_s` for ever. The buckets are this process's own: N processes of
the API allow N times as much.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, MutableMapping
from threading import Lock
from typing import Any

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import problem_response
from core.access import Principal
from core.clock import Clock
from core.metrics import Metrics

POLICY_HEADER, STATE_HEADER = "RateLimit-Policy", "RateLimit"
"""Header fields of draft-ietf-httpapi-ratelimit-headers-09: the policy, and what is left of it."""
_CALLERS = 10_000
_COSTS: Mapping[tuple[str, str], int] = {
    ("GET", "/v1/exports"): 20,
    ("POST", "/v1/exports/jobs"): 20,
    ("POST", "/v1/snapshots"): 20,
}
"""Tokens of a request; 1 for what is not here."""


class Taken(msgspec.Struct, frozen=True):
    """The outcome of asking a bucket.

    Attributes:
        allowed: the tokens were taken; else none was.
        left: whole tokens left.
        wait_s: seconds until it would be allowed; 0 when it was.
    """

    allowed: bool
    left: int
    wait_s: float


class Buckets:
    """A token bucket for each of any number of callers. Used from many threads.

    The callers that were not heard of for longest are forgotten beyond `callers`; one that is
    forgotten begins with a full bucket.

    Args:
        per_s: tokens that a bucket gains, a second; above 0.
        burst: tokens that it holds, at most; 1 or more.
        clock: its monotonic clock is used.
        callers: how many are remembered.
    """

    def __init__(self, *, per_s: float, burst: int, clock: Clock, callers: int = _CALLERS) -> None:
        self.per_s = per_s
        self.burst = burst
        self._clock = clock
        self._callers = callers
        self._lock = Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, cost: int = 1) -> Taken:
        """Take tokens from a caller's bucket, if it has as many.

        A cost above the burst takes a full bucket.
        """
        cost = min(cost, self.burst)
        with self._lock:
            tokens = self._tokens(caller)
            allowed = tokens >= cost
            if allowed:
                tokens -= cost
                self._keep(caller, tokens)
        missing = 0.0 if allowed else cost - tokens
        return Taken(allowed, math.floor(tokens), missing / self.per_s)

    def wait_s(self, caller: str) -> float:
        """Return in how many seconds a caller has a token, 0 when it has one; takes none."""
        with self._lock:
            return max(0.0, 1 - self._tokens(caller)) / self.per_s

    def full_in_s(self, left: int) -> int:
        """Return in how many seconds a bucket with `left` tokens is full."""
        return math.ceil((self.burst - left) / self.per_s)

    def _tokens(self, caller: str) -> float:
        tokens, at_s = self._buckets.get(caller, (float(self.burst), 0.0))
        gained = (self._clock.monotonic_s() - at_s) * self.per_s
        return min(float(self.burst), tokens + gained)

    def _keep(self, caller: str, tokens: float) -> None:
        self._buckets[caller] = (tokens, self._clock.monotonic_s())
        self._buckets.move_to_end(caller)
        if len(self._buckets) > self._callers:
            self._buckets.popitem(last=False)


class RateLimits:
    """ASGI middleware behind `Authentication`: bounds how often a caller may ask.

    A key is a caller, and so is a subject of bearer tokens. Every answer to one says what is left.
    Public paths have no caller, and no bound.
    """

    def __init__(self, app: ASGIApp, *, buckets: Buckets, metrics: Metrics) -> None:
        self._app = app
        self._buckets = buckets
        self._metrics = metrics
        window_s = math.ceil(buckets.burst / buckets.per_s)
        self._policy = f'"key";q={buckets.burst};w={window_s}'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        caller: Principal | None = scope.get("state", {}).get("principal")
        if caller is None:
            await self._app(scope, receive, send)
            return
        taken = self._buckets.take(caller.id, _COSTS.get((scope["method"], scope["path"]), 1))
        state = f'"key";r={taken.left};t={self._buckets.full_in_s(taken.left)}'

        async def stating_send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[POLICY_HEADER] = self._policy
                headers[STATE_HEADER] = state
            await send(message)

        if taken.allowed:
            await self._app(scope, receive, stating_send)
            return
        self._metrics.rate_limited.labels("key").inc()
        response = too_often(
            f"this key asked more than {self._buckets.burst} times at once, or more than "
            f"{self._buckets.per_s:g} times a second for long",
            wait_s=taken.wait_s,
            instance=scope["path"],
        )
        await response(scope, receive, stating_send)


def too_often(why: str, *, wait_s: float, instance: str) -> Response:
    """Return the answer 429.

    Args:
        why: what was too often; a clause.
        wait_s: seconds until it would be allowed.
        instance: the path that was asked for.
    """
    after = str(max(1, math.ceil(wait_s)))
    return problem_response(
        "rate_limited",
        f"{why}; ask again in {after} s",
        instance=instance,
        headers={"Retry-After": after},
    )
