"""The options by which exports and snapshots choose values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

UrlOption = Annotated[
    str | None,
    typer.Option("--url", envvar="PASSERELLE_URL", help="Address of the API."),
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", envvar="PASSERELLE_KEY", help="API key; default: the local one."),
]
DevicesOption = Annotated[list[str] | None, typer.Option("--device", help="A device; repeatable.")]
SiteOption = Annotated[str | None, typer.Option(help="Every device of this site.")]
QuantitiesOption = Annotated[
    list[str] | None, typer.Option("--quantity", help="A quantity; repeatable; default: every.")
]
FromOption = Annotated[
    str | None, typer.Option("--from", help="First instant: 2026-11-01, -30d ...; default -24h.")
]
ToOption = Annotated[str | None, typer.Option("--to", help="Last instant, exclusive.")]
ZoneOption = Annotated[str | None, typer.Option(help="IANA zone of instants.")]
EveryOption = Annotated[str | None, typer.Option(help="Windows of this length: 15min, 1h, 1d.")]
AggregateOption = Annotated[str | None, typer.Option(help="Of each window: mean, min, max ...")]
PercentileOption = Annotated[float | None, typer.Option(help="For the aggregate percentile.")]


def selection(
    *,
    devices: list[str] | None,
    site: str | None,
    quantities: list[str] | None,
    start: str | None,
    end: str | None,
    zone: str | None,
    every: str | None,
    aggregate: str | None,
    percentile: float | None,
) -> dict[str, Any]:
    """Return the fields of an order's body that were given."""
    given = {
        "devices": devices,
        "site": site,
        "quantities": quantities,
        "from": start,
        "to": end,
        "zone": zone,
        "every": every,
        "aggregate": aggregate,
        "percentile": percentile,
    }
    return {name: value for name, value in given.items() if value}


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[float], None]]:
    """Show a bar on standard error; yield what is to be called with the part that is done."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=1.0)
        yield lambda part: bar.update(task, completed=part)
