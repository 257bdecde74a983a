"""Conversations with the platform, without I/O: what is asked, and what to make of answers.

A flow is a generator: it yields requests, is sent the answers, and returns a result. `Client` and
`AsyncClient` carry out the same flows.
"""

from __future__ import annotations

import json
import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from passerelle._errors import UnavailableError, error_of

T = TypeVar("T")
Params = Mapping[str, str | int | float]
_OK, _ERROR, _BUSY = 200, 400, 429
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_NO_PARAMS: Params = {}


@dataclass(frozen=True)
class Request:
    """Something to ask.

    Attributes:
        method: of HTTP.
        path: with its query where the platform gave it (`next`).
        params: of the query.
        body: JSON, or None.
        headers: further ones.
        wait_s: how long to wait before asking, seconds.
    """

    method: str
    path: str
    params: Params = field(default_factory=lambda: _NO_PARAMS)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0

    @property
    def repeatable(self) -> bool:
        """Whether asking twice does the same as asking once."""
        return self.method in {"GET", "HEAD", "DELETE"} or "Idempotency-Key" in self.headers


@dataclass(frozen=True)
class Response:
    """What was answered, whole."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """Return the body."""
        return json.loads(self.content)


Flow = Generator[Request, Response, T]


@dataclass(frozen=True)
class Retry:
    """When to ask again.

    Attributes:
        tries: how often to ask at most, 1 or more.
        first_s: wait before the second try, seconds; doubled each time, up to `most_s`.
        most_s: longest wait, seconds; a longer `Retry-After` is not waited for.
        deadline_s: how long one call may take with all its tries, seconds.
    """

    tries: int = 5
    first_s: float = 0.5
    most_s: float = 30.0
    deadline_s: float = 300.0

    def wait_s(
        self, *, tried: int, elapsed_s: float, answer: Response | None, chance: random.Random
    ) -> float | None:
        """Return how long to wait before the next try, or None to give up.

        Args:
            tried: how often it was asked.
            elapsed_s: since the first time.
            answer: what came, or None when nothing did.
            chance: spreads clients that failed together (full jitter above half).
        """
        if tried >= self.tries:
            return None
        wait_s = min(self.most_s, self.first_s * 2 ** (tried - 1)) * chance.uniform(0.5, 1.0)
        asked = None if answer is None else _seconds(answer.headers.get("retry-after", ""))
        if asked is not None:
            if asked > self.most_s:
                return None
            wait_s = max(wait_s, asked)
        return wait_s if elapsed_s + wait_s <= self.deadline_s else None


def worth_again(request: Request, answer: Response | None) -> bool:
    """Tell whether asking again may help, and does no harm."""
    if answer is None:
        return request.repeatable
    return answer.status in _AGAIN and (request.repeatable or answer.status == _BUSY)


def checked(answer: Response) -> Response:
    """Return a good answer.

    Raises:
        ApiError: it is a refusal.
        UnavailableError: it is a failure of the platform.
    """
    if answer.status < _ERROR:
        return answer
    error = error_of(answer.status, answer.content)
    if answer.status in _AGAIN and answer.status != _BUSY:
        raise UnavailableError(str(error)) from error
    raise error


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdecimal() else None
