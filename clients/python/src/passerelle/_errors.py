"""What can go wrong, as exceptions that carry what the platform said."""

from __future__ import annotations

import json
from typing import Any


class PasserelleClientError(Exception):
    """Anything that this library raises."""


class UnavailableError(PasserelleClientError):
    """The platform did not answer, or said that a part of it is down, for all tries."""


class ChecksumError(PasserelleClientError):
    """A file is not what the platform sent: its SHA-256 differs. It was removed."""


class ApiError(PasserelleClientError):
    """The platform refuses; asking the same again would not help.

    Attributes:
        status: HTTP status.
        type: stable identifier of the problem, `urn:passerelle:problem:CODE`.
        title: what kind of problem it is.
        detail: what happened, and what to do.
        hint: a query that would fit, or None.
        errors: which parameters caused it.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.type = str(problem.get("type", "about:blank"))
        self.title = str(problem.get("title", f"status {status}"))
        self.detail = str(problem.get("detail", self.title))
        self.hint: str | None = problem.get("hint")
        self.errors: list[dict[str, Any]] = list(problem.get("errors") or ())
        hint = f" ({self.hint})" if self.hint else ""
        super().__init__(f"{self.detail}{hint} [{status} {self.type.rpartition(':')[2]}]")


class UnauthorizedError(ApiError):
    """The key is missing, unknown, revoked or has expired."""


class ForbiddenError(ApiError):
    """The key may not do this; `client.me()` tells what it may."""


class NotFoundError(ApiError):
    """There is no such thing that the key may know of."""


class InvalidError(ApiError):
    """A parameter is not usable; `errors` names it."""


class ConflictError(ApiError):
    """It is in another state, or somebody changed it meanwhile."""


class RateLimitedError(ApiError):
    """It was asked too often, also after waiting."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: ConflictError,
    413: InvalidError,
    422: InvalidError,
    429: RateLimitedError,
}


def error_of(status: int, body: bytes) -> ApiError:
    """Return the exception for an answer that is an error."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    return _BY_STATUS.get(status, ApiError)(status, problem)
