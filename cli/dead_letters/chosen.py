"""Which dead letters a command means: the filters that the commands share."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from api.parameters import UTC
from api.problems import InvalidParameterError
from api.times import parse_instant
from core.clock import SystemClock
from core.errors import ConfigurationError
from core.reasons import Reason, Scope
from devices.registry import DeadLetter, LetterFilter, Registry

_PAGE = 1000
_PAGE_WITH_PAYLOADS = 100


class State(StrEnum):
    """Which states are meant."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"
    ALL = "all"


SiteOption = Annotated[str | None, typer.Option("--site", help="Only this site.")]
DeviceOption = Annotated[str | None, typer.Option("--device", help="Only this device.")]
ReasonOption = Annotated[Reason | None, typer.Option("--reason", help="Only this reason.")]
ScopeOption = Annotated[Scope | None, typer.Option("--scope", help="Only this scope.")]
ProfileOption = Annotated[str | None, typer.Option("--profile", help="Only this profile.")]
WorkerOption = Annotated[str | None, typer.Option("--worker", help="Only those of this worker.")]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", help="Received then or later: 2026-11-23T08:00:00Z, a day, -24h."),
]
UntilOption = Annotated[str | None, typer.Option("--until", help="Received before then.")]
StateOption = Annotated[State, typer.Option("--state", help="Only this state.")]


def chosen(
    *,
    site: str | None,
    device: str | None,
    reason: Reason | None,
    scope: Scope | None,
    profile: str | None,
    worker: str | None,
    since: str | None,
    until: str | None,
) -> LetterFilter:
    """Return the filter that the options make.

    Raises:
        ConfigurationError: an instant is not one.
    """
    return LetterFilter(
        site=site,
        device=device,
        reason=None if reason is None else reason.value,
        scope=None if scope is None else scope.value,
        profile=profile,
        worker=worker,
        since_ns=instant("--since", since),
        until_ns=instant("--until", until),
    )


def pages(
    registry: Registry, wanted: LetterFilter, state: State, *, payloads: bool
) -> Iterator[list[DeadLetter]]:
    """Yield the dead letters, newest first, a page at a time: memory does not grow with them."""
    after: str | None = None
    while page := registry.dead_letters.find(
        wanted,
        state=None if state is State.ALL else state.value,
        after=after,
        limit=_PAGE_WITH_PAYLOADS if payloads else _PAGE,
        payloads=payloads,
    ):
        yield page
        after = page[-1].id


def counted(registry: Registry, wanted: LetterFilter, state: State) -> dict[str, int]:
    """Return how many dead letters there are of each reason, the most first."""
    counts: dict[str, int] = {}
    told = None if state is State.ALL else state.value
    for (reason, _), count in registry.dead_letters.counts(wanted, state=told).items():
        counts[reason] = counts.get(reason, 0) + count
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def instant(option: str, text: str | None) -> int | None:
    """Return the instant that an option says, nanoseconds since the epoch; None: it was not given.

    Raises:
        ConfigurationError: it says none.
    """
    if text is None:
        return None
    try:
        return parse_instant(text, parameter=option, now_ns=SystemClock().now_ns(), zone=UTC)
    except InvalidParameterError as error:
        raise ConfigurationError(f"option {option}: {error.detail}") from None
