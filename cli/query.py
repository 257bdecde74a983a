"""`passerelle query`: values in the terminal, as a table, a chart, CSV or JSON."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.exports.chosen import (
    DevicesOption,
    EveryOption,
    FromOption,
    KeyOption,
    PercentileOption,
    QuantitiesOption,
    SiteOption,
    ToOption,
    UrlOption,
    ZoneOption,
)
from cli.exports.client import Api, opened_api
from cli.plotting import POINTS_A_COLUMN, charts, columns_of, label_of
from cli.tables import print_table
from core.errors import ConfigurationError

_PATH = "/v1/readings"
_LIMIT = 100


def query(
    *,
    devices: DevicesOption = None,
    site: SiteOption = None,
    quantities: QuantitiesOption = None,
    start: FromOption = None,
    end: ToOption = None,
    zone: ZoneOption = None,
    every: EveryOption = None,
    aggregate: Annotated[
        list[str] | None, typer.Option(help="Of each window: mean, min, max ...; repeatable.")
    ] = None,
    percentile: PercentileOption = None,
    group_by: Annotated[
        list[str] | None,
        typer.Option(help="A series for each site, profile, building, zone, or quantity."),
    ] = None,
    fill: Annotated[str | None, typer.Option(help="none, null, previous or linear.")] = None,
    fill_limit: Annotated[str | None, typer.Option(help="How much of a gap: 3, 6h.")] = None,
    quality: Annotated[
        list[str] | None, typer.Option(help="Only values with these flags; good: without any.")
    ] = None,
    exclude_quality: Annotated[
        list[str] | None, typer.Option(help="Only values without these flags.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Raw values in a table or JSON.")] = _LIMIT,
    plot: Annotated[bool, typer.Option("--plot", help="Draw them.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, every value.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the API's answer.")] = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show stored values of devices: raw ones, or one a window; asked of a running API."""
    if plot + as_csv + as_json > 1:
        raise ConfigurationError("--plot, --csv and --json exclude each other: choose one")
    if plot and len(aggregate or []) > 1:
        raise ConfigurationError("--plot draws one aggregate; name one, or leave --plot out")
    given = {
        "devices": devices, "site": site, "quantities": quantities, "from": start, "to": end,
        "zone": zone, "every": every, "aggregate": aggregate, "percentile": percentile,
        "group_by": group_by, "fill": fill, "fill_limit": fill_limit, "quality": quality,
        "exclude_quality": exclude_quality,
    }  # fmt: skip
    asked = {name: value for name, value in given.items() if value}
    width = shutil.get_terminal_size().columns
    with opened_api(url, key) as api:
        if as_csv:
            for text in _csv_pages(api, asked):
                sys.stdout.write(text)
            return
        if plot and every is None:
            asked |= {"max_points": columns_of(width) * POINTS_A_COLUMN, "downsample": "m4"}
        elif every is None:
            asked["limit"] = limit
        answer = api.ask("GET", _PATH, params=asked)
    if as_json:
        Console(soft_wrap=True).print_json(data=answer)
    elif plot:
        _draw(answer, width)
    else:
        _print_table(answer)


def _draw(answer: dict[str, Any], width: int) -> None:
    if not answer["series"]:
        typer.echo("no values in this range")
    for chart in charts(answer, width=width, color=sys.stdout.isatty()):
        typer.echo(chart)


def _csv_pages(api: Api, asked: dict[str, Any]) -> Iterator[str]:
    """Yield every page, the header once."""
    text, following = api.ask_csv(_PATH, params=asked)
    yield text
    while following is not None:
        text, following = api.ask_csv(following)
        yield text.partition("\r\n")[2]


def _print_table(answer: dict[str, Any]) -> None:
    series = answer["series"]
    rows = sorted(
        ((point["time"], one, point) for one in series for point in one["points"]),
        key=lambda row: datetime.fromisoformat(row[0]),
    )
    if not rows:
        typer.echo("no values in this range")
        return
    windows = answer["kind"] != "raw"
    table = Table(f"time ({answer['zone']})", "series", "quantity")
    several = list(answer.get("aggregates") or ["value"])
    for name in several:
        table.add_column(name, justify="right")
    table.add_column("unit")
    table.add_column("count" if windows else "quality")
    for time, one, point in rows:
        values = point.get("values") or {"value": point.get("value")}
        last = str(point["count"]) if windows else " ".join(point["quality"])
        if point.get("filled"):
            last += " filled"
        table.add_row(
            time,
            label_of(one),
            one["quantity"],
            *(_number(values[name]) for name in several),
            one["unit"],
            last,
        )
    print_table(table)
    if answer.get("next"):
        typer.echo("there are more: --limit, --csv for all, or `passerelle export`", err=True)
    if answer.get("rollups"):
        part = answer["rollups"]
        typer.echo(f"from hourly roll-ups: {part['start']} to {part['end']}", err=True)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
