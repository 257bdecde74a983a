"""Routes that another one has superseded: they say so in every answer, and go on working.

`Deprecation` (RFC 9745) holds since when, `Link` with `successor-version` (RFC 5829) what to use
instead. The policy is in docs/api.md.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from fastapi import Depends, Response


def superseded(*, since: date, by: str) -> Any:
    """Return the dependency of a route that is deprecated (`deprecated=True` beside it).

    Args:
        since: the day on which it became so.
        by: path of the route to use instead.
    """
    moment = int(datetime(since.year, since.month, since.day, tzinfo=UTC).timestamp())
    headers = {"Deprecation": f"@{moment}", "Link": f'<{by}>; rel="successor-version"'}

    def tell(response: Response) -> None:
        response.headers.update(headers)

    told: Callable[[Response], None] = tell
    return Depends(told)
