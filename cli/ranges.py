"""Options that choose a part of the account: site, device and a range of hours."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from api.problems import InvalidParameterError
from api.times import parse_instant
from core.clock import NS_PER_HOUR, SystemClock, hour_of
from core.errors import ConfigurationError

_UTC = ZoneInfo("UTC")
SiteOption = Annotated[str | None, typer.Option("--site", help="Only this site.")]
DeviceOption = Annotated[str | None, typer.Option("--device", help="Only this device.")]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from", help="From the hour that holds this instant: 2026-11-23T08:00:00Z, a day, -24h."
    ),
]
ToOption = Annotated[str | None, typer.Option("--to", help="To the hour that holds this instant.")]


def chosen_hours(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """Return the first hour, and the hour after the last; seconds since the epoch, None: no bound.

    Raises:
        ConfigurationError: an instant is not one, or the range is reversed.
    """
    first = None if start is None else hour_of(_instant("--from", start))
    after = None if end is None else hour_of(_instant("--to", end) + NS_PER_HOUR - 1)
    if first is not None and after is not None and after <= first:
        raise ConfigurationError("--to must be after --from: the range is empty or reversed")
    return first, after


def _instant(option: str, text: str) -> int:
    try:
        return parse_instant(text, parameter=option, now_ns=SystemClock().now_ns(), zone=_UTC)
    except InvalidParameterError as error:
        raise ConfigurationError(f"option {option}: {error.detail}") from None
