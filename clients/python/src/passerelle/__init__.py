"""Stored values of a Passerelle platform as pandas DataFrames.

    from passerelle import Client

    with Client("http://127.0.0.1:8000", key="psl_...") as client:
        frame = client.readings(site="elgazala", quantities=["air_temperature"], start="-24h")

`AsyncClient` has the same methods, to be awaited.
"""

from passerelle._async_client import AsyncClient
from passerelle._client import Client
from passerelle._errors import (
    ApiError,
    ChecksumError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    PasserelleClientError,
    RateLimitedError,
    UnauthorizedError,
    UnavailableError,
)
from passerelle._flow import Retry

__all__ = [
    "ApiError",
    "AsyncClient",
    "ChecksumError",
    "Client",
    "ConflictError",
    "ForbiddenError",
    "InvalidError",
    "NotFoundError",
    "PasserelleClientError",
    "RateLimitedError",
    "Retry",
    "UnauthorizedError",
    "UnavailableError",
]
